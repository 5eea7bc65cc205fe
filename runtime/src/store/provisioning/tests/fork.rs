use super::voice::{make_so, refused};
use super::*;
use crate::model::Fork;

fn file(trunk: &str) -> String {
    format!(
        "[[customers]]\nban = \"AAA-1\"\ncompany_name = \"First\"\n\
         [[trunks]]\nname = \"east\"\ncustomer = \"AAA-1\"\n{trunk}\n"
    )
}

const DIGEST: &str = "auth_type = \"BOTH\"\n\
                      digest = { username = \"east\", password = \"correct horse battery\" }\n";

#[tokio::test]
async fn how_calls_fork_is_read_back_as_it_was_written() {
    each_engine(async |engine: Engine| {
        let (_, current) = make_so(&engine, &file(DIGEST)).await;
        assert_eq!(current.voice.trunks[0].fork, Fork::Serial);
        let (changes, current) = make_so(&engine, &file(&format!("{DIGEST}fork = \"parallel\""))).await;
        assert!(changes.contains("fork: \"serial\" -> \"parallel\""), "{changes}");
        assert_eq!(current.voice.trunks[0].fork, Fork::Parallel);

        let text = refused(&engine, &file(&format!("{DIGEST}fork = \"both\""))).await;
        assert!(text.contains("line "), "{text}");
        // Without registrations there is nothing to be called at once.
        let text = refused(&engine, &file("fork = \"parallel\"")).await;
        assert!(text.contains("fork") && text.contains("IP_ACL"), "{text}");
    })
    .await;
}
