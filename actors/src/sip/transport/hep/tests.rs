use std::time::Duration;

use runtime::clock::SystemClock;
use runtime::random::Random;
use runtime::registry::Registry;
use runtime::supervision::{Intensity, Strategy, Supervisor, SupervisorSpec};
use runtime::telemetry::metrics::Metrics as MetricsRegistry;
use tokio::time::timeout;

use super::*;

fn captured(octets: &'static str) -> Captured {
    Captured {
        source: "192.0.2.1:5060".parse().unwrap(),
        destination: "192.0.2.2:5061".parse().unwrap(),
        transport: Transport::Tls,
        time: Timestamp::from_micros(1_700_000_000_000_007),
        call_id: Bytes::from_static(b"call@host"),
        octets: Bytes::from_static(octets.as_bytes()),
    }
}

#[tokio::test]
async fn copies_reach_the_collector_and_a_full_queue_drops() {
    let collector = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let metrics = Metrics::new(&MetricsRegistry::new());
    let options = Options {
        collector: collector.local_addr().unwrap(),
        agent: 7,
        auth_key: Some(Arc::from(&b"key"[..])),
        queue_max: 2,
    };
    let (mirror, child) = child_spec(options, &metrics);
    for text in ["one", "two", "three"] {
        mirror.capture(captured(text));
    }
    assert_eq!(metrics.dropped.with_label_values(&["mirror"]).get(), 1);

    let registry = Registry::new(Arc::new(SystemClock), Random::seeded(1));
    let name = ActorName::new("supervisor", "mirror");
    let spec = SupervisorSpec::new(name, Strategy::OneForOne, Intensity::new(1, Duration::from_secs(1)))
        .child(child);
    let supervisor = Supervisor::spawn(spec, &registry).await.unwrap();
    for text in ["one", "two"] {
        let mut buffer = [0; 2_048];
        let received = timeout(Duration::from_secs(10), collector.recv_from(&mut buffer)).await;
        let (octets, _) = received.expect("a packet comes").unwrap();
        let packet = Packet::decode(&buffer[..octets]).unwrap();
        let sent = captured(text);
        assert_eq!((packet.source, packet.destination), (sent.source, sent.destination));
        assert_eq!((packet.ip_protocol, packet.protocol, packet.agent), (hep::TCP, hep::SIP, 7));
        assert_eq!((packet.seconds, packet.microseconds), (1_700_000_000, 7));
        assert_eq!((packet.auth_key, packet.correlation_id), (Some(&b"key"[..]), Some(&b"call@host"[..])));
        assert_eq!(packet.payload, text.as_bytes());
    }
    supervisor.stop().await;
}
