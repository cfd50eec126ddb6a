//! Cost against the number of services, both axes logarithmic: a line that is level costs
//! the same however many services there are.

use std::fs::{self, File};
use std::io::BufWriter;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, anyhow, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::{Report, find, format};
use crate::arms::{KUBE_PROXY, PORTOLAN};
use crate::figures::Metric;
use crate::scenarios::names::{COLD_START, CONNECT_SERVICE, REPLACED, WARM_RESTART};

/// Pixels.
const SIZE: (u32, u32) = (1_000, 640);
/// PNG has no text: these are the shapes of the letters, and their widths in both files.
const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-subset.ttf");
const FAMILY: &str = "sans-serif";

/// Colours that are told apart by everyone (Okabe and Ito).
const LINES: [(&str, RGBColor); 4] = [
    (COLD_START, RGBColor(0, 114, 178)),
    (WARM_RESTART, RGBColor(86, 180, 233)),
    (REPLACED, RGBColor(213, 94, 0)),
    (CONNECT_SERVICE, RGBColor(0, 158, 115)),
];

const RULE: RGBColor = RGBColor(215, 215, 215);
const FAINT_RULE: RGBColor = RGBColor(240, 240, 240);

/// One line of the plot.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    label: String,
    colour: RGBColor,
    /// Of another arm: drawn thin, with open points.
    other: bool,
    /// Services and seconds.
    points: Vec<(f64, f64)>,
}

/// Writes `path.svg` and `path.png`.
pub(crate) fn plot(report: &Report, path: &Path) -> anyhow::Result<()> {
    let lines = lines(report);
    ensure!(
        lines.iter().any(|line| line.points.len() > 1),
        "a plot needs figures at two or more sizes: --services 100,1000,10000,50000"
    );
    // It fails for a font that cannot be read, and this one is part of the program.
    register_font(FAMILY, FontStyle::Normal, FONT).map_err(|_| anyhow!("the font is broken"))?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let title = title(report);
    let mut svg = String::new();
    draw(SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), &title, &lines)?;
    fs::write(path.with_extension("svg"), svg)?;
    let mut pixels = vec![0; SIZE.0 as usize * SIZE.1 as usize * 3];
    draw(BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area(), &title, &lines)?;
    write_png(&path.with_extension("png"), &pixels)
}

fn lines(report: &Report) -> Vec<Line> {
    let sizes = report.sizes();
    let line = |arm: &str, (scenario, colour): (&str, RGBColor)| {
        let seconds = |size| {
            Some(find(&report.figures, size, scenario, arm, Metric::Time)?.summary.median)
                .filter(|it| *it > 0.0)
        };
        let point = |size: &crate::figures::Size| Some((f64::from(size.services), seconds(*size)?));
        let points: Vec<_> = sizes.iter().filter_map(point).collect();
        let label = if arm == PORTOLAN { scenario.into() } else { format!("{scenario}, {arm}") };
        (!points.is_empty()).then(|| Line { label, colour, other: arm != PORTOLAN, points })
    };
    let arms = [PORTOLAN, KUBE_PROXY].into_iter();
    arms.flat_map(|arm| LINES.into_iter().filter_map(move |it| line(arm, it))).collect()
}

fn title(report: &Report) -> String {
    let machine = &report.machine;
    let endpoints = report.sizes().first().map_or(0, |size| size.endpoints);
    format!(
        "{endpoints} endpoints per service; {} x {}, Linux {}",
        machine.processors, machine.processor, machine.kernel
    )
}

/// From the smallest value to the largest.
fn between(values: impl Iterator<Item = f64>) -> Range<f64> {
    let nothing = f64::MAX..f64::MIN_POSITIVE;
    values.fold(nothing, |range, value| range.start.min(value)..range.end.max(value))
}

/// From one power of ten to another around all values.
fn decades(values: impl Iterator<Item = f64>) -> Range<f64> {
    let values = between(values);
    let low = values.start.log10().floor();
    let high = values.end.log10().ceil().max(low + 1.0);
    10f64.powf(low)..10f64.powf(high)
}

fn draw<B>(area: DrawingArea<B, Shift>, title: &str, lines: &[Line]) -> anyhow::Result<()>
where
    B: DrawingBackend,
    B::ErrorType: 'static,
{
    area.fill(&WHITE)?;
    let points = || lines.iter().flat_map(|line| &line.points);
    let (services, seconds) = (between(points().map(|it| it.0)), decades(points().map(|it| it.1)));
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .caption(title, (FAMILY, 16))
        .x_label_area_size(48)
        .y_label_area_size(76)
        .build_cartesian_2d(services.log_scale(), seconds.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(FAINT_RULE)
        .bold_line_style(RULE)
        .x_desc("services")
        .y_desc("time")
        .label_style((FAMILY, 14))
        .x_label_formatter(&|services| format::grouped(*services))
        .y_label_formatter(&|seconds| format::decade(*seconds))
        .draw()?;
    for line in lines {
        let points = || line.points.iter().copied();
        let style = line.colour.stroke_width(if line.other { 1 } else { 3 });
        let dot = if line.other { line.colour.stroke_width(1) } else { line.colour.filled() };
        chart
            .draw_series(LineSeries::new(points(), style))?
            .label(&line.label)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 22, y)], style));
        chart.draw_series(points().map(|point| Circle::new(point, 4, dot)))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font((FAMILY, 14))
        .background_style(WHITE.mix(0.8))
        .border_style(RULE)
        .draw()?;
    Ok(area.present()?)
}

fn write_png(path: &Path, pixels: &[u8]) -> anyhow::Result<()> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), SIZE.0, SIZE.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;

    #[test]
    fn a_line_has_a_point_for_each_size_and_other_arms_have_lines_of_their_own() {
        let lines = lines(&report(1.0, 1));
        let labels: Vec<_> = lines.iter().map(|it| (it.label.as_str(), it.points.len())).collect();
        let expected =
            [(COLD_START, 1), (REPLACED, 2), (CONNECT_SERVICE, 1), ("cold start, kube-proxy", 1)];
        assert_eq!(labels, expected);
    }

    #[test]
    fn the_axis_ends_at_powers_of_ten_around_all_values() {
        for (values, low, high) in
            [(&[0.02, 3.0][..], 0.01, 10.0), (&[0.5], 0.1, 1.0), (&[1.0], 1.0, 10.0)]
        {
            let range = decades(values.iter().copied());
            assert!((range.start / low - 1.0).abs() < 1e-9, "{range:?}");
            assert!((range.end / high - 1.0).abs() < 1e-9, "{range:?}");
        }
    }

    #[test]
    fn both_files_are_written_and_the_names_of_lines_are_in_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/cost");
        plot(&report(1.0, 1), &path).unwrap();
        let svg = fs::read_to_string(path.with_extension("svg")).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains(REPLACED), "{svg}");
        let png = File::open(path.with_extension("png")).unwrap();
        let mut reader = png::Decoder::new(std::io::BufReader::new(png)).read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), SIZE);
        let mut pixels = vec![0; SIZE.0 as usize * SIZE.1 as usize * 3];
        reader.next_frame(&mut pixels).unwrap();
        // The vertical text beside the axis, which only letters put there.
        let left = pixels.chunks(SIZE.0 as usize * 3).flat_map(|row| &row[..60 * 3]);
        assert!(left.clone().any(|byte| *byte < 64), "no text");
    }

    #[test]
    fn one_size_is_no_plot() {
        let mut single = report(1.0, 1);
        single.figures.retain(|figure| figure.size.services == 1_000);
        let error = plot(&single, Path::new("/nonexistent/cost")).unwrap_err().to_string();
        assert!(error.contains("--services"), "{error}");
    }
}
