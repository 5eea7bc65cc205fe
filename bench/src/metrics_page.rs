//! The node's metrics page: sums of counters, and quantiles of a histogram between two readings.

use std::net::SocketAddr;

use crate::http;

/// Cumulative counts by upper bound in seconds, ascending; the last bound is infinite.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Buckets(Vec<(f64, f64)>);

/// Reads the histogram `name`; `None` when the page or the histogram is not there.
pub(crate) async fn read(addr: SocketAddr, name: &str) -> Option<Buckets> {
    parse(&page(addr).await?, name)
}

/// The whole page; `None` when it is not there.
pub(crate) async fn page(addr: SocketAddr) -> Option<String> {
    let response = http::get(addr, "/metrics").await.ok()?;
    String::from_utf8(response.body).ok()
}

/// The sum of all samples of `name` that have this label, as it stands on the page: `outcome="silent"`; of
/// all samples where it is empty.
pub(crate) fn sum(page: &str, name: &str, label: &str) -> f64 {
    let samples = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once('}')?,
            // Another metric whose name begins alike has no space here.
            None => ("", rest.strip_prefix(' ')?),
        };
        let has = label.is_empty() || labels.split(',').any(|one| one.trim() == label);
        value.trim().parse::<f64>().ok().filter(|_| has)
    });
    // An empty sum of floating point numbers would be minus zero.
    samples.fold(0.0, |sum, value| sum + value)
}

impl Buckets {
    /// The quantile `q`, 0 to 1, of what was counted since `before`, in microseconds, interpolated within its
    /// bucket; `None` when nothing was.
    pub(crate) fn quantile_us(&self, before: &Self, q: f64) -> Option<u64> {
        let earlier = |bound: f64| before.0.iter().find(|(b, _)| b.total_cmp(&bound).is_eq());
        let since: Vec<(f64, f64)> = self
            .0
            .iter()
            .map(|(bound, count)| (*bound, count - earlier(*bound).map_or(0.0, |(_, count)| *count)))
            .collect();
        let rank = since.last().filter(|(_, total)| *total > 0.0)?.1 * q;
        let mut below = (0.0, 0.0);
        for (bound, count) in since {
            if count >= rank {
                let share = if count > below.1 { (rank - below.1) / (count - below.1) } else { 1.0 };
                let seconds = if bound.is_finite() { below.0 + (bound - below.0) * share } else { below.0 };
                return micros(seconds);
            }
            below = (bound, count);
        }
        None
    }
}

/// Sums all label sets of the histogram.
pub(crate) fn parse(page: &str, name: &str) -> Option<Buckets> {
    let mut buckets: Vec<(f64, f64)> = Vec::new();
    for line in page.lines() {
        let Some(labels) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix("_bucket{")) else {
            continue;
        };
        let (labels, count) = labels.rsplit_once('}')?;
        let bound =
            labels.split(',').find_map(|label| label.trim().strip_prefix("le=\"")?.strip_suffix('"'))?;
        let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
        let count: f64 = count.trim().parse().ok()?;
        match buckets.iter_mut().find(|(known, _)| known.total_cmp(&bound).is_eq()) {
            Some((_, sum)) => *sum += count,
            None => buckets.push((bound, count)),
        }
    }
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    (!buckets.is_empty()).then_some(Buckets(buckets))
}

fn micros(seconds: f64) -> Option<u64> {
    let duration = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    u64::try_from(duration.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# TYPE warp_log_fsync_seconds histogram
warp_log_fsync_seconds_bucket{le=\"0.001\"} 10
warp_log_fsync_seconds_bucket{le=\"0.002\"} 90
warp_log_fsync_seconds_bucket{le=\"+Inf\"} 100
warp_log_fsync_seconds_sum 0.2
warp_log_fsync_seconds_count 100
";

    #[test]
    fn quantiles_interpolate() {
        let page = parse(PAGE, "warp_log_fsync_seconds").unwrap();
        let nothing = Buckets::default();
        assert_eq!(page.quantile_us(&nothing, 0.5), Some(1500));
        assert_eq!(page.quantile_us(&nothing, 0.05), Some(500));
        assert_eq!(page.quantile_us(&nothing, 0.99), Some(2000));
        assert_eq!(page.quantile_us(&page, 0.5), None);
    }

    #[test]
    fn samples_are_summed_by_label() {
        let page = "# TYPE a counter\na{node=\"x\",outcome=\"silent\"} 2\n\
                    a{node=\"y\",outcome=\"silent\"} 3\na{node=\"x\",outcome=\"answered\"} 10\n\
                    a_total{outcome=\"silent\"} 100\nb 7\n";
        for (name, label, expected) in
            [("a", "outcome=\"silent\"", 5.0), ("a", "", 15.0), ("b", "", 7.0), ("c", "", 0.0)]
        {
            assert!(sum(page, name, label).total_cmp(&expected).is_eq(), "{name} {label}");
        }
    }

    #[test]
    fn absent_histogram() {
        assert_eq!(parse(PAGE, "warp_other"), None);
    }
}
