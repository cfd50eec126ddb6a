//! Metrics with labels. The values of every label are known beforehand.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use portolan_core::Family as IpFamily;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// Name and value.
pub(super) type Label = (&'static str, &'static str);
/// Metrics with `N` labels each.
pub(super) type By<const N: usize, M> = Family<[Label; N], M>;
/// A point in time, in seconds since the Unix epoch; or a length of time.
pub(super) type Seconds = Gauge<f64, AtomicU64>;
/// Time that adds up.
pub(super) type SecondsCounter = Counter<f64, AtomicU64>;

/// The label that kube-proxy gives to what each of its two proxies does.
pub(super) fn ip_family(family: IpFamily) -> [Label; 1] {
    let value = match family {
        IpFamily::V4 => "IPv4",
        IpFamily::V6 => "IPv6",
    };
    [("ip_family", value)]
}

/// A histogram for each family.
pub(super) fn histograms(new: fn() -> Histogram) -> By<1, Histogram> {
    from_zero(By::new_with_constructor(new), IpFamily::BOTH.map(ip_family))
}

/// Counters or gauges with these labels, at zero: a series that is not there until the
/// first failure hides it from `rate()`.
pub(super) fn zeros<const N: usize, M: Default>(
    labels: impl IntoIterator<Item = [Label; N]>,
) -> By<N, M> {
    from_zero(By::default(), labels)
}

fn from_zero<const N: usize, M>(
    metrics: By<N, M>,
    labels: impl IntoIterator<Item = [Label; N]>,
) -> By<N, M> {
    for labels in labels {
        drop(metrics.get_or_create(&labels));
    }
    metrics
}

/// A time in milliseconds as Prometheus writes it.
pub(super) fn seconds(milliseconds: i64) -> f64 {
    Duration::from_millis(milliseconds.try_into().unwrap_or(0)).as_secs_f64()
}

/// A count as a gauge takes it.
pub(super) fn gauge_value(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
