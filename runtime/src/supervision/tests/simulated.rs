//! A supervisor on a simulated network and clock.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::lab::{Lab, PLENTY, name};
use super::{Backoff, ChildSpec, Restart, Start, Strategy, Supervisor, SupervisorSpec};
use crate::net::Net;
use crate::net::sim::SimNet;
use crate::supervision::{BoxError, Seat};

const PORT: u16 = 2775;

/// Serves one connection: answers each byte, and panics at a zero.
async fn serve(seat: Seat) -> Result<(), BoxError> {
    let mut listener = SimNet.listen(([0, 0, 0, 0], PORT).into()).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let restarts = seat.registry.get(&seat.name).map_or(0, |seen| seen.restarts);
        while let Ok(byte) = stream.read_u8().await {
            assert!(byte != 0, "a poison byte");
            stream.write_u32(restarts).await?;
        }
    }
}

#[test]
fn a_listener_that_panics_is_back_on_its_port() {
    let mut sim = turmoil::Builder::new().simulation_duration(Duration::from_secs(30)).rng_seed(1).build();
    sim.host("server", || async {
        let lab = Lab::new();
        let backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(2));
        let child = ChildSpec::new(name("listener"), Restart::Permanent, Start::task(serve)).backoff(backoff);
        let spec = SupervisorSpec::new(name("top"), Strategy::OneForOne, PLENTY).child(child);
        let top = Supervisor::spawn(spec, &lab.registry).await?;
        top.ended().await;
        Ok(())
    });
    sim.client("peer", async {
        assert_eq!(ask(1).await, Some(0));
        assert_eq!(ask(0).await, None, "the connection ends with the panic");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(ask(1).await, Some(1));
        Ok(())
    });
    sim.run().unwrap();
}

async fn ask(byte: u8) -> Option<u32> {
    let mut stream = SimNet.connect("server", PORT).await.ok()?;
    stream.write_u8(byte).await.ok()?;
    stream.read_u32().await.ok()
}
