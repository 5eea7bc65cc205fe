//! Messages by whom they come from and by who carried them.

use super::*;

#[tokio::test]
async fn messages_are_found_by_their_source() {
    let fixture = Fixture::new().await;
    let cases: [(&str, &[u64]); 7] = [
        ("source=%2B1555777", &[9]),
        ("source=1555777", &[9]),
        ("source=WAR", &[0, 3, 6]),
        ("source=WARP&destination=44", &[3]),
        ("source=", &[0, 3, 6, 9]),
        ("source=warp", &[]),
        ("source=%25", &[]),
    ];
    for (query, expected) in cases {
        fixture.expect(&fixture.own_key, &format!("/v1/mdrs?{query}"), expected).await;
    }
    let other = format!("/v1/mdrs?customer_id={}&source=%2B1555777", fixture.other);
    fixture.expect(TOKEN, &other, &[]).await;
}

#[tokio::test]
async fn messages_are_found_by_their_vendor_for_operators_alone() {
    let fixture = Fixture::new().await;
    let [one, two, nobody] = [3, 5, 7].map(|number| format!("/v1/mdrs?vendor={}", Uuid::from_u128(number)));
    let rest: Vec<u64> = (0..COUNT - 1).filter(|n| *n != 9).collect();
    fixture.expect(TOKEN, &one, &rest).await;
    fixture.expect(TOKEN, &two, &[9]).await;
    fixture.expect(TOKEN, &nobody, &[]).await;
    fixture.expect(TOKEN, &format!("{one}&customer_id={}", fixture.own), &[0, 3, 6]).await;
    fixture.expect(TOKEN, &format!("{two}&customer_id={}", fixture.other), &[]).await;
    let third = MessageId(fixture.message(3).id);
    fixture.expect(TOKEN, &format!("{one}&limit=2&cursor={third}"), &[4, 5]).await;
    for path in [&one, &two, &nobody, &format!("{one}&format=csv")] {
        let refused = fixture.get(&fixture.own_key, path).await;
        assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("forbidden")), "{path}");
    }
    let wrong = fixture.get(TOKEN, "/v1/mdrs?vendor=sinch-atlanta").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("vendor is an id"), "{}", wrong.body);
}
