use super::*;
use crate::store::provisioning::{Current, Document, apply, plan};
use crate::store::testing::{Engine, each_engine};
use crate::store::{root_key, voice, voice_vendor};

const FILE: &str = r#"
[[sip_vendors]]
name = "first"
gateways = ["sip:192.0.2.10"]
account = { username = "warp", realm = "first.example", password = "correct horse battery" }
[[sip_vendors]]
name = "second"
[sip_vendors.account]
username = "warp"
realm = "first.example"
password = "correct horse battery"
register = { user = "+15550001000", expires = "10m", required = true }
"#;

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

fn key_of(engine: &Engine) -> RootKey {
    RootKey::load_or_create(&engine.dir.path().join("root.key")).unwrap()
}

async fn provision(engine: &Engine) {
    let key = key_of(engine);
    let document = Document::parse(FILE).unwrap();
    let current = Current::load(&engine.store, &key).await.unwrap();
    let changes = plan(&document, &current).unwrap();
    apply(&engine.store, &key, (&document, &changes), &current, NOW).await.unwrap();
}

async fn stored(engine: &Engine, name: &str) -> (Uuid, Option<VendorAccount>) {
    let voice = voice::load(&engine.store).await.unwrap();
    let vendor = voice.vendors.into_iter().find(|vendor| vendor.name == name).unwrap();
    (vendor.id, vendor.account)
}

#[tokio::test]
async fn a_password_is_kept_as_sealed_digests_of_it() {
    each_engine(async |engine: Engine| {
        provision(&engine).await;
        let key = key_of(&engine);
        let made = Ha1::of("warp", "first.example", &SecretString::new("correct horse battery"));
        let (first, account) = stored(&engine, "first").await;
        let account = account.unwrap();
        assert_eq!((account.username.as_str(), account.realm.as_str()), ("warp", "first.example"));
        assert_eq!((open(&key, first, &account).unwrap(), &account.register), (made.clone(), &None));
        let kept = String::from_utf8_lossy(&account.ha1_sealed).into_owned();
        for secret in ["correct", "horse", &made.md5, &made.sha256, &made.sha512_256] {
            assert!(!kept.contains(secret), "{secret} is stored as it is");
        }
        assert!(!format!("{account:?}").contains("sealed"), "{account:?}");
        let (second, registered) = stored(&engine, "second").await;
        let registered = registered.unwrap();
        let register = registered.register.as_ref().unwrap();
        assert_eq!((registered.user(register), register.domain.as_str()), ("+15550001000", ""));
        assert_eq!((register.expires.to_string().as_str(), register.required), ("10m", true));
        assert!(open(&key, second, &account).is_err(), "copied to another vendor it opens");
    })
    .await;
}

#[tokio::test]
async fn it_stays_under_another_root_key_and_goes_with_its_vendor() {
    each_engine(async |engine: Engine| {
        provision(&engine).await;
        let (first, before) = stored(&engine, "first").await;
        let rotated = root_key::rotate(&engine.store, &key_of(&engine), None).await.unwrap();
        assert_eq!((rotated.rewrapped, rotated.closed), (2, 0));
        let (_, after) = stored(&engine, "first").await;
        let (before, after) = (before.unwrap(), after.unwrap());
        assert_ne!(after.ha1_sealed, before.ha1_sealed);
        let made = Ha1::of("warp", "first.example", &SecretString::new("correct horse battery"));
        assert_eq!(open(&key_of(&engine), first, &after).unwrap(), made);

        let mut tx = engine.store.begin().await.unwrap();
        let shown = voice_vendor::find(&mut tx, first).await.unwrap().unwrap();
        let shown = serde_json::to_value(&shown).unwrap();
        assert_eq!(shown["account"], serde_json::json!({"username": "warp", "realm": "first.example"}));
        voice_vendor::delete(&mut tx, first).await.unwrap();
        tx.commit().await.unwrap();
        let voice = voice::load(&engine.store).await.unwrap();
        assert_eq!(voice.vendors.len(), 1);
    })
    .await;
}
