use std::collections::HashSet;

use super::*;
use crate::routes;

/// The document is a contract: a change of it is seen in review.
#[test]
fn the_document_is_the_one_in_the_repository() {
    let kept = include_str!("../../openapi.json");
    assert!(kept == text(), "the interface changed: `cargo run -p node -- openapi > api/openapi.json`");
}

#[test]
fn every_operation_has_a_summary_a_name_of_its_own_and_examples() {
    let document = document(routes::all());
    let mut names = HashSet::new();
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            let at = format!("{method} {path}");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{at}");
            assert!(names.insert(operation["operationId"].clone()), "{at}: {}", operation["operationId"]);
            if let Some(body) = operation.get("requestBody") {
                let example = &body["content"]["application/json"]["example"];
                assert!(example.is_object(), "{at} {example}");
            }
            let (status, success) = operation["responses"].as_object().unwrap().iter().next().unwrap();
            let told = success.get("content").is_some()
                || !status.starts_with('2')
                || path.starts_with("/docs")
                || path == "/openapi.json";
            assert!(told || operation["responses"].get("204").is_some(), "{at}: what it answers");
            for (status, response) in operation["responses"].as_object().unwrap() {
                for (media, content) in
                    response.get("content").and_then(Value::as_object).into_iter().flatten()
                {
                    assert!(!content["example"].is_null(), "{at} {status} {media}");
                    let problem = media == "application/problem+json";
                    let shown = content["example"]["status"].as_u64();
                    assert!(!problem || shown == status.parse().ok(), "{at} {status}");
                }
            }
        }
    }
    for (name, shared) in document["components"]["responses"].as_object().unwrap() {
        let example = &shared["content"]["application/problem+json"]["example"];
        assert_eq!(format!("Error{}", example["status"]), *name, "{example}");
    }
    let served = routes::all().filter(|route| Surface::Api.serves(route.access)).count();
    assert_eq!(operations, served);
}

/// What is referred to is there, and nothing is there that nobody refers to.
#[test]
fn every_schema_is_referred_to_and_found() {
    let document = document(routes::all());
    let text = document.to_string();
    let found: HashSet<&str> =
        document["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
    let referred: HashSet<&str> =
        text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(referred.difference(&found).collect::<Vec<_>>(), Vec::<&&str>::new(), "they are not there");
    assert_eq!(found.difference(&referred).collect::<Vec<_>>(), Vec::<&&str>::new(), "nobody needs them");
}

/// What a list gives as an id may be asked for.
#[test]
fn an_id_in_a_path_may_be_what_it_is() {
    let document = document(routes::all());
    for (path, format) in [
        ("/v1/admin/voice-vendors/{id}", Some("uuid")),
        ("/v1/admin/media-nodes/{id}", None),
        ("/v1/smpp/vendors/{id}/reconnect", None),
    ] {
        for (method, operation) in document["paths"][path].as_object().unwrap() {
            let schema = &operation["parameters"][0]["schema"];
            assert_eq!(schema["type"], "string", "{method} {path}");
            assert_eq!(schema["format"].as_str(), format, "{method} {path}");
        }
    }
}
