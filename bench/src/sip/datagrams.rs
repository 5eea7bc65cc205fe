//! Datagrams that the kernel dropped: a run in which the generator's own sockets overflowed says nothing.

use std::fs;

/// Datagrams of all the machine that found a full receive buffer so far.
pub(crate) fn overflowed() -> u64 {
    counter(&fs::read_to_string("/proc/net/snmp").unwrap_or_default(), "RcvbufErrors").unwrap_or_default()
}

/// Datagrams that the sockets on these ports have dropped.
pub(crate) fn dropped_at(ports: &[u16]) -> u64 {
    let tables = ["/proc/net/udp", "/proc/net/udp6"];
    tables.iter().map(|table| drops(&fs::read_to_string(table).unwrap_or_default(), ports)).sum()
}

fn counter(snmp: &str, name: &str) -> Option<u64> {
    let mut udp = snmp.lines().filter_map(|line| line.strip_prefix("Udp:"));
    let place = udp.next()?.split_whitespace().position(|column| column == name)?;
    udp.next()?.split_whitespace().nth(place)?.parse().ok()
}

/// The last column of the lines whose local port, in hexadecimal, is one of these.
fn drops(table: &str, ports: &[u16]) -> u64 {
    let of_line = |line: &str| {
        let mut fields = line.split_whitespace();
        let (_, port) = fields.nth(1)?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        if ports.contains(&port) { fields.next_back()?.parse::<u64>().ok() } else { None }
    };
    table.lines().filter_map(of_line).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_kernel() {
        let snmp = "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\nUdp: 1 2 3 4 5\n";
        assert_eq!(counter(snmp, "RcvbufErrors"), Some(5));
        assert_eq!(counter(snmp, "None"), None);
        let udp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             1: 0100007F:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 7\n\
             2: 0100007F:13C5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 9\n";
        assert_eq!((drops(udp, &[5060]), drops(udp, &[5060, 5061]), drops(udp, &[1])), (7, 16, 0));
    }
}
