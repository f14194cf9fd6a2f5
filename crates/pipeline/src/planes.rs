//! A picture in YCbCr planes, as most JPEGs are coded (JFIF): luma, and the differences of blue and red from it.

use crate::job::Fault;
use crate::raster::{Channels, Raster, index, length};
use words::dimensions::Dimensions;

/// The way in which a decoder made the samples of a picture at a smaller scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// A sample is the mean of the pixels that it stands for, which blurs.
    Average,
    /// Frequencies that are too high for the scale were left out, which does not blur.
    LowFrequencies,
}

/// Three planes as they were decoded, one behind the other. The chroma planes may have fewer samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubsampledPlanes {
    sizes: [Dimensions; 3],
    samples: Vec<u8>,
    pub reduction: Reduction,
}

impl SubsampledPlanes {
    /// Errors: `Corrupt` if there are not as many bytes as the sizes ask for.
    pub fn new(
        sizes: [Dimensions; 3],
        samples: Vec<u8>,
        reduction: Reduction,
    ) -> Result<Self, Fault> {
        let all: usize = sizes.map(|size| length(size, Channels::Gray)).iter().sum();
        let some = sizes.iter().all(|size| size.pixels() > 0);
        if !some || samples.len() != all {
            let bytes = samples.len();
            return Err(Fault::Corrupt(format!("{bytes} bytes are no planes of {sizes:?}")));
        }
        Ok(Self { sizes, samples, reduction })
    }

    /// The size of each plane, and its samples row by row.
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

    pub fn to_rgb(&self) -> Result<Raster, Fault> {
        let [luma, blue, red] = &self.0;
        let chroma = blue.pixels().iter().zip(red.pixels());
        let pixels = luma.pixels().iter().zip(chroma);
        let pixels = pixels.flat_map(|(luma, (blue, red))| rgb(*luma, *blue, *red)).collect();
        Raster::new(self.size(), Channels::Rgb, pixels)
    }
}

/// The conversion of ITU-T T.871, section 7, in fixed-point numbers of 16 fractional bits.
fn rgb(luma: u8, blue: u8, red: u8) -> [u8; 3] {
    let luma = (i32::from(luma) << 16) + (1 << 15);
    let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
    let colours = [91_881 * red, -22_554 * blue - 46_802 * red, 116_130 * blue];
    colours.map(|colour| u8::try_from(((luma + colour) >> 16).clamp(0, 255)).unwrap_or_default())
}

/// The plane subsampled by 2 across and by `down`, 1 or 2, down: each sample is the mean of those that it stands for.
pub fn subsampled(plane: &Raster, down: usize) -> Vec<u8> {
    let width = index(plane.size().width);
    let mut out = Vec::with_capacity(plane.pixels().len());
    for rows in plane.pixels().chunks(width * down) {
        let upper = &rows[..width];
        // An odd last row stands for two.
        halve_rows(upper, rows.get(width..2 * width).unwrap_or(upper), &mut out);
    }
    out
}

/// Means are rounded down and up in turn, as libjpeg does it: rounding all up would shift colours.
fn halve_rows(upper: &[u8], lower: &[u8], out: &mut Vec<u8>) {
    let mean = |samples: [u8; 4], more: u16| {
        let sum: u16 = samples.map(u16::from).iter().sum();
        u8::try_from((sum + more) >> 2).unwrap_or(u8::MAX)
    };
    let start = out.len();
    out.resize(start + upper.len().div_ceil(2), 0);
    // Steps of four samples become vector instructions.
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

/// The plane with sides that are multiples of `across` and `down`, which are 1 or 2: the last column or row is repeated.
pub fn padded(plane: &Raster, across: usize, down: usize) -> Vec<u8> {
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
    fn subsampling_takes_means_also_at_odd_edges() {
        let rows = [[10, 20, 0, 4, 60, 80, 7], [30, 40, 8, 12, 61, 81, 9]].concat();
        assert_eq!(subsampled(&plane(7, &rows), 2), [25, 6, 70, 8]);
        assert_eq!(subsampled(&plane(7, &rows), 1), [15, 2, 70, 7, 35, 10, 71, 9]);
        assert_eq!(subsampled(&plane(1, &[3, 5, 9]), 2), [4, 9]);
    }

    #[test]
    fn subsampling_keeps_the_mean_brightness() {
        let rows: Vec<u8> = (0..=255).flat_map(|value| [value, value / 2]).collect();
        let mean = |samples: &[u8]| {
            let sum: u32 = samples.iter().copied().map(u32::from).sum();
            f64::from(sum) / f64::from(u32::try_from(samples.len()).unwrap())
        };
        assert!((mean(&subsampled(&plane(512, &rows), 1)) - mean(&rows)).abs() < 0.02);
    }

    #[test]
    fn padding_repeats_the_last_samples() {
        assert_eq!(padded(&plane(3, &[1, 2, 3]), 2, 2), [1, 2, 3, 3, 1, 2, 3, 3]);
        assert_eq!(padded(&plane(3, &[1, 2, 3]), 1, 1), [1, 2, 3]);
        assert_eq!(padded(&plane(2, &[1, 2]), 2, 1), [1, 2]);
    }

    #[test]
    fn planes_become_the_colours_that_libjpeg_made_them_of() {
        // The samples that libjpeg-turbo writes for red, green, blue, white and black.
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
        assert!(SubsampledPlanes::new(sizes, vec![0; 12], Reduction::Average).is_ok());
        assert!(SubsampledPlanes::new(sizes, vec![0; 11], Reduction::Average).is_err());
        assert!(Planes::new([plane(1, &[1]), plane(1, &[1]), plane(2, &[1, 1])]).is_err());
    }
}
