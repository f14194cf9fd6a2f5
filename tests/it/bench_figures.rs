//! The arithmetic of the table of `scripts/bench`.

#[path = "../../benches/compare/figure.rs"]
mod figure;

use figure::{Spread, Target, Unit, float, median};

#[test]
fn a_median_is_the_middle_and_of_an_even_number_the_mean_of_two() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    assert_eq!(median(&[]), None);
}

#[test]
fn a_ratio_is_the_median_of_the_rounds_ratios_with_the_least_and_the_greatest() {
    // The second round was slow for both sides.
    let ratio = Spread::of_ratios(&[2.0, 40.0, 3.0], &[1.0, 20.0, 1.0]).expect("three rounds");
    assert_eq!(ratio, Spread { median: 2.0, least: 2.0, greatest: 3.0 });
    assert_eq!(ratio.to_string(), "2.00 (2.00-3.00)");
    assert_eq!(Spread::of_ratios(&[], &[]), None);
}

#[test]
fn a_target_is_met_by_the_ratio_or_by_the_figure_itself() {
    let most = Target::AtMost(1.5);
    assert_eq!(most.is_met(9.0, Some(1.5)), Some(true));
    assert_eq!(most.is_met(9.0, Some(1.51)), Some(false));
    assert_eq!(most.is_met(9.0, None), None, "without a ratio there is no verdict");
    let least = Target::AtLeast(4.0);
    assert_eq!(least.is_met(0.1, Some(4.0)), Some(true));
    assert_eq!(least.is_met(9.0, Some(3.99)), Some(false));
    let within = Target::Within(150e6);
    assert_eq!(within.is_met(150e6, None), Some(true));
    assert_eq!(within.is_met(151e6, Some(0.1)), Some(false));
}

#[test]
fn figures_have_the_largest_unit_that_fits_and_three_digits() {
    let written = |unit: Unit, value| unit.write(value);
    assert_eq!(written(Unit::Seconds, 12.34), "12.3 s");
    assert_eq!(written(Unit::Seconds, 0.001_234), "1.23 ms");
    assert_eq!(written(Unit::Seconds, 0.000_012_34), "12.3 us");
    assert_eq!(written(Unit::Seconds, 4.2e-10), "0.42 ns");
    assert_eq!(written(Unit::FilesPerSecond, 1234.5), "1234/s");
    assert_eq!(written(Unit::BytesPerSecond, 2.5e9), "2.50 GB/s");
    assert_eq!(written(Unit::Bytes, 39_400_000.0), "39.4 MB");
    assert_eq!(Target::Within(0.05).write(Unit::Seconds), "<= 50.0 ms");
    assert_eq!(Target::AtLeast(4.0).write(Unit::Seconds), ">= 4");
    assert!((float(1 << 40) - 1_099_511_627_776.0).abs() < f64::EPSILON);
}
