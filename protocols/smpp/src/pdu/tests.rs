mod damage;
mod differential;
mod limits;
mod roundtrip;
mod wire;
