//! Values as people read them.

use crate::figures::Unit;

/// A value with its unit, four digits at most where there are smaller ones.
pub(super) fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => seconds(value),
        Unit::Bytes if value >= 1024.0 * 1024.0 => {
            format!("{:.1} MiB", value / 1024.0 / 1024.0)
        }
        Unit::Bytes if value >= 10.0 * 1024.0 => format!("{:.1} KiB", value / 1024.0),
        Unit::Bytes => format!("{value:.0} B"),
        // The share of one change.
        Unit::Count if value < 100.0 && value.fract() > 0.0 => format!("{value:.1}"),
        Unit::Count => grouped(value),
        Unit::Times => ratio(value),
        Unit::PerSecond => format!("{}/s", grouped(value)),
    }
}

/// `1.27x`, `47x`
pub(super) fn ratio(ratio: f64) -> String {
    if ratio >= 100.0 {
        format!("{}x", grouped(ratio))
    } else if ratio >= 10.0 {
        format!("{ratio:.0}x")
    } else {
        format!("{ratio:.2}x")
    }
}

/// A time that is a power of ten in seconds: `10 s`, `100 ms`.
pub(super) fn decade(seconds: f64) -> String {
    let (value, unit) = match seconds {
        1.0.. => (seconds, "s"),
        0.001.. => (seconds * 1e3, "ms"),
        _ => (seconds * 1e6, "us"),
    };
    format!("{value:.0} {unit}")
}

fn seconds(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.1} s")
    } else if value >= 1.0 {
        format!("{value:.2} s")
    } else if value >= 0.1 {
        format!("{:.0} ms", value * 1e3)
    } else if value >= 0.01 {
        format!("{:.1} ms", value * 1e3)
    } else if value >= 0.001 {
        format!("{:.2} ms", value * 1e3)
    } else {
        format!("{:.1} us", value * 1e6)
    }
}

/// `1,234,567`
pub(super) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_unit_that_reads_best() {
        for (number, unit, expected) in [
            (12.94, Unit::Seconds, "12.9 s"),
            (1.234, Unit::Seconds, "1.23 s"),
            (0.1234, Unit::Seconds, "123 ms"),
            (0.0123, Unit::Seconds, "12.3 ms"),
            (0.00123, Unit::Seconds, "1.23 ms"),
            (0.0000184, Unit::Seconds, "18.4 us"),
            (0.0, Unit::Seconds, "0.0 us"),
            (512.0, Unit::Bytes, "512 B"),
            (20_480.0, Unit::Bytes, "20.0 KiB"),
            (67_108_864.0, Unit::Bytes, "64.0 MiB"),
            (1_234_567.0, Unit::Count, "1,234,567"),
            (0.0, Unit::Count, "0"),
            (123.0, Unit::Count, "123"),
            (2.25, Unit::Count, "2.2"),
            (123.4, Unit::Count, "123"),
            (1_999.6, Unit::PerSecond, "2,000/s"),
        ] {
            assert_eq!(value(number, unit), expected);
        }
        for (number, expected) in
            [(10.0, "10 s"), (0.1, "100 ms"), (0.001, "1 ms"), (1e-5, "10 us")]
        {
            assert_eq!(decade(number), expected);
        }
        for (number, expected) in [(1.271, "1.27x"), (47.3, "47x"), (1_234.0, "1,234x")] {
            assert_eq!(ratio(number), expected);
        }
    }
}
