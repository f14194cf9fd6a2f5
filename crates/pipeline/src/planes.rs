//! A picture in planes, as most JPEGs are coded: brightness, and how blue and how red differ from it (JFIF's Y, Cb, Cr).
//! Does not know files, nor what is done to it.

use crate::job::Fault;
use crate::raster::{Channels, Raster, index, length};
use words::dimensions::Dimensions;

/// What a sample of a picture is that was decoded at a smaller scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// The mean of the pixels that it stands for.
    Means,
    /// What is left there without the changes that are too fast for its scale.
    Slow,
}

/// Three planes as they were decoded, one behind the other: those of colour may have fewer samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    sizes: [Dimensions; 3],
    samples: Vec<u8>,
    grain: Grain,
}

impl Coded {
    /// Errors: `Corrupt` if there are not as many bytes as the sizes ask for.
    pub fn new(sizes: [Dimensions; 3], samples: Vec<u8>, grain: Grain) -> Result<Self, Fault> {
        let all: usize = sizes.map(|size| length(size, Channels::Gray)).iter().sum();
        let some = sizes.iter().all(|size| size.pixels() > 0);
        if !some || samples.len() != all {
            let bytes = samples.len();
            return Err(Fault::Corrupt(format!("{bytes} bytes are no planes of {sizes:?}")));
        }
        Ok(Self { sizes, samples, grain })
    }

    pub fn grain(&self) -> Grain {
        self.grain
    }

    /// Each plane: its size, and its samples row by row.
    pub fn each(&self) -> [(Dimensions, &[u8]); 3] {
        let mut rest = self.samples.as_slice();
        self.sizes.map(|size| {
            let (plane, others) = rest.split_at(length(size, Channels::Gray));
            rest = others;
            (size, plane)
        })
    }
}

/// Three planes of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planes([Raster; 3]);

impl Planes {
    /// All must be gray. Errors: `Corrupt` if their sizes differ.
    pub fn new(planes: [Raster; 3]) -> Result<Self, Fault> {
        let size = planes[0].size();
        if planes.iter().any(|plane| plane.size() != size || plane.channels() != Channels::Gray) {
            return Err(Fault::Corrupt("planes of different sizes".into()));
        }
        Ok(Self(planes))
    }

    pub fn size(&self) -> Dimensions {
        self.0[0].size()
    }

    pub fn each(&self) -> &[Raster; 3] {
        &self.0
    }

    /// The same picture in three colours.
    pub fn to_rgb(&self) -> Result<Raster, Fault> {
        let [light, blue, red] = &self.0;
        let colours = blue.pixels().iter().zip(red.pixels());
        let pixels = light.pixels().iter().zip(colours);
        let pixels = pixels.flat_map(|(light, (blue, red))| rgb(*light, *blue, *red)).collect();
        Raster::new(self.size(), Channels::Rgb, pixels)
    }
}

/// ITU-T T.871, 7, in parts of 65,536.
fn rgb(light: u8, blue: u8, red: u8) -> [u8; 3] {
    let light = (i32::from(light) << 16) + (1 << 15);
    let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
    let colours = [91_881 * red, -22_554 * blue - 46_802 * red, 116_130 * blue];
    colours.map(|colour| u8::try_from(((light + colour) >> 16).clamp(0, 255)).unwrap_or_default())
}

/// Half as many samples across, and as many or half as many down: each the mean of those that it stands for.
pub fn halved(plane: &Raster, down: usize) -> Vec<u8> {
    let width = index(plane.size().width);
    let mut out = Vec::with_capacity(plane.pixels().len());
    for rows in plane.pixels().chunks(width * down) {
        let upper = &rows[..width];
        // What is missing at the far edges is what is there.
        halve_rows(upper, rows.get(width..2 * width).unwrap_or(upper), &mut out);
    }
    out
}

/// Halves are rounded down and up in turns, as libjpeg does it: always up would shift colours.
fn halve_rows(upper: &[u8], lower: &[u8], out: &mut Vec<u8>) {
    let mean = |samples: [u8; 4], more: u16| {
        let sum: u16 = samples.map(u16::from).iter().sum();
        u8::try_from((sum + more) >> 2).unwrap_or(u8::MAX)
    };
    let start = out.len();
    out.resize(start + upper.len().div_ceil(2), 0);
    // Four samples a step are what the compiler makes fast code of.
    let ((above, last), (below, last_below)) = (upper.as_chunks(), lower.as_chunks());
    let (pairs, rest) = out[start..].split_at_mut(2 * above.len());
    let steps = pairs.as_chunks_mut().0.iter_mut().zip(above.iter().zip(below));
    for (pair, (&[a, b, c, d], &[e, f, g, h])) in steps {
        *pair = [mean([a, b, e, f], 1), mean([c, d, g, h], 2)];
    }
    let last = last.chunks(2).zip(last_below.chunks(2));
    for (sample, (above, below)) in rest.iter_mut().zip(last) {
        let both = |pair: &[u8]| [pair[0], *pair.last().unwrap_or(&pair[0])];
        let ([a, b], [e, f]) = (both(above), both(below));
        *sample = mean([a, b, e, f], 1);
    }
}

/// So many samples that the sides are even where `across` and `down` are two: the last ones come twice.
pub fn widened(plane: &Raster, across: usize, down: usize) -> Vec<u8> {
    let width = index(plane.size().width);
    let height = index(plane.size().height);
    let more = width.next_multiple_of(across) - width;
    let mut out = Vec::with_capacity((width + more) * height.next_multiple_of(down));
    for row in plane.pixels().chunks_exact(width) {
        out.extend_from_slice(row);
        out.extend(row.last().into_iter().cycle().take(more));
    }
    for _ in height..height.next_multiple_of(down) {
        out.extend_from_within(out.len() - width - more..);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(width: u32, samples: &[u8]) -> Raster {
        let height = u32::try_from(samples.len()).unwrap() / width;
        Raster::new(Dimensions::new(width, height), Channels::Gray, samples.to_vec()).unwrap()
    }

    #[test]
    fn half_the_samples_are_means_also_at_odd_edges() {
        let rows = [[10, 20, 0, 4, 60, 80, 7], [30, 40, 8, 12, 61, 81, 9]].concat();
        assert_eq!(halved(&plane(7, &rows), 2), [25, 6, 70, 8]);
        assert_eq!(halved(&plane(7, &rows), 1), [15, 2, 70, 7, 35, 10, 71, 9]);
        assert_eq!(halved(&plane(1, &[3, 5, 9]), 2), [4, 9]);
    }

    #[test]
    fn halves_are_no_brighter_on_the_whole() {
        let rows: Vec<u8> = (0..=255).flat_map(|value| [value, value / 2]).collect();
        let mean = |samples: &[u8]| {
            let sum: u32 = samples.iter().copied().map(u32::from).sum();
            f64::from(sum) / f64::from(u32::try_from(samples.len()).unwrap())
        };
        assert!((mean(&halved(&plane(512, &rows), 1)) - mean(&rows)).abs() < 0.02);
    }

    #[test]
    fn the_last_samples_come_twice_where_sides_must_be_even() {
        assert_eq!(widened(&plane(3, &[1, 2, 3]), 2, 2), [1, 2, 3, 3, 1, 2, 3, 3]);
        assert_eq!(widened(&plane(3, &[1, 2, 3]), 1, 1), [1, 2, 3]);
        assert_eq!(widened(&plane(2, &[1, 2]), 2, 1), [1, 2]);
    }

    #[test]
    fn planes_of_the_primary_colours_are_these() {
        // As libjpeg-turbo writes red, green, blue, white and black.
        let planes = [[76, 150, 29, 255, 0], [85, 44, 255, 128, 128], [255, 21, 107, 128, 128]];
        let planes = Planes::new(planes.map(|samples| plane(5, &samples))).unwrap();
        let shown = planes.to_rgb().unwrap();
        let exact = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0];
        let off = shown.pixels().iter().zip(exact).map(|(one, other)| one.abs_diff(other));
        assert!(off.max() <= Some(2), "{:?}", shown.pixels());
    }

    #[test]
    fn planes_that_do_not_fit_together_are_refused() {
        let sizes = [Dimensions::new(4, 2), Dimensions::new(2, 1), Dimensions::new(2, 1)];
        assert!(Coded::new(sizes, vec![0; 12], Grain::Means).is_ok());
        assert!(Coded::new(sizes, vec![0; 11], Grain::Means).is_err());
        assert!(Planes::new([plane(1, &[1]), plane(1, &[1]), plane(2, &[1, 1])]).is_err());
    }
}
