use super::*;
use crate::store::provisioning::{Current, Document, apply, plan};
use crate::store::testing::{Engine, each_engine};
use crate::store::{ErrorKind, did, trunk, voice};

const FILE: &str = r#"
[[customers]]
ban = "AAA-1"
company_name = "First"
[[trunks]]
name = "first"
customer = "AAA-1"
auth_type = "DIGEST"
digest = { username = "acme", password = "correct horse battery" }
[[trunks]]
name = "second"
customer = "AAA-1"
"#;

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

fn root_key(engine: &Engine) -> RootKey {
    RootKey::load_or_create(&engine.dir.path().join("root.key")).unwrap()
}

async fn provision(engine: &Engine) {
    let key = root_key(engine);
    let document = Document::parse(FILE).unwrap();
    let current = Current::load(&engine.store, &key).await.unwrap();
    let changes = plan(&document, &current).unwrap();
    apply(&engine.store, &key, (&document, &changes), &current, NOW).await.unwrap();
}

async fn stored(engine: &Engine, name: &str) -> (Uuid, Option<DigestCredential>) {
    let voice = voice::load(&engine.store).await.unwrap();
    let trunk = voice.trunks.into_iter().find(|trunk| trunk.name == name).unwrap();
    (trunk.id, trunk.digest)
}

#[tokio::test]
async fn a_password_is_kept_as_sealed_digests_of_it() {
    each_engine(async |engine: Engine| {
        provision(&engine).await;
        let key = root_key(&engine);
        let (id, credential) = stored(&engine, "first").await;
        let credential = credential.unwrap();
        assert_eq!((credential.username.as_str(), credential.realm.as_str()), ("acme", "warp"));
        let opened = open(&key, id, &credential).unwrap();
        let made = Ha1::of("acme", "warp", &SecretString::new("correct horse battery"));
        assert_eq!(opened, made);
        let kept = String::from_utf8_lossy(&credential.ha1_sealed).into_owned();
        for secret in ["correct", "horse", &made.md5, &made.sha256, &made.sha512_256] {
            assert!(!kept.contains(secret), "{secret} is stored as it is");
        }
        assert!(!format!("{credential:?}").contains("sealed"), "{credential:?}");
        let (second, none) = stored(&engine, "second").await;
        assert_eq!(none, None);
        assert!(open(&key, second, &credential).is_err(), "copied to another trunk it opens");
    })
    .await;
}

#[tokio::test]
async fn a_username_is_one_trunks_and_goes_with_it() {
    each_engine(async |engine: Engine| {
        provision(&engine).await;
        let key = root_key(&engine);
        let (first, _) = stored(&engine, "first").await;
        let (second, _) = stored(&engine, "second").await;
        let password = SecretString::new("another password");
        let sealed = seal(&key, second, ("acme", &password)).unwrap();
        let mut tx = engine.store.begin().await.unwrap();
        let refused = put(&mut tx, second, ("acme", sealed.clone()), NOW).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Constraint);
        drop(tx);

        let mut tx = engine.store.begin().await.unwrap();
        assert_eq!(did::trunk(&mut tx, "first").await.unwrap().unwrap().0, first);
        let read = trunk::find(&mut tx, first).await.unwrap().unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap()["digest"], serde_json::json!({"username": "acme"}));
        trunk::delete(&mut tx, first).await.unwrap();
        put(&mut tx, second, ("acme", sealed), NOW).await.unwrap();
        tx.commit().await.unwrap();
        let (_, credential) = stored(&engine, "second").await;
        let opened = open(&key, second, &credential.unwrap()).unwrap();
        assert_eq!(opened, Ha1::of("acme", "warp", &password));
    })
    .await;
}
