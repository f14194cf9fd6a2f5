//! The steps from decoded pixels to those that are encoded, and the transformation that says which of them an image takes.

pub mod colour;
pub mod crop;
pub mod flatten;
mod resize;
pub mod turn;

use self::crop::{Rect, cropped};
use self::resize::Resize;
use crate::exif::Orientation;
use crate::job::{Fault, Limits, at_most};
use crate::planes::{Planes, SubsampledPlanes};
use crate::raster::{Channels, Raster};
use words::dimensions::{Dimensions, scale};
use words::rule::{self, Crop, Normal};
use words::variant::Spec;

/// The transformation of the pixels: a turn, a crop, a resize and another crop. All sizes are of the image after the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transformation {
    /// The turn of the stored pixels.
    pub turn: Orientation,
    /// The part of the turned original that is used.
    part: Rect,
    /// The size to which the part is scaled.
    size: Dimensions,
    /// The part of the scaled image that is kept.
    crop: Rect,
    /// The size of the turned original.
    original: Dimensions,
}

impl Transformation {
    /// The transformation of an image of the stored size to its normal form. Errors: `Unsupported` if a crop leaves nothing.
    pub fn normal(
        stored: Dimensions,
        orientation: Orientation,
        normal: &Normal,
    ) -> Result<Self, Fault> {
        let turn = if normal.orient { orientation } else { Orientation::Upright };
        let original = turn.applied_to(stored);
        let fitted = normal.fit.map_or(original, |bounds| original.fit_inside(bounds));
        let size = normal.resize.map_or(fitted, |resize| resized(fitted, resize));
        let crop = normal.crop.map_or(Ok(Rect::all(size)), |crop| rect(size, crop))?;
        Ok(Self { turn, part: Rect::all(original), size, crop, original })
    }

    /// The transformation of an image of the stored size to a variant.
    pub fn variant(stored: Dimensions, orientation: Orientation, spec: Spec) -> Self {
        let original = orientation.applied_to(stored);
        let geometry = spec.geometry(original);
        let (left, top, size) = geometry.crop;
        let part = Rect { left, top, size };
        let crop = Rect::all(geometry.size);
        Self { turn: orientation, part, size: geometry.size, crop, original }
    }

    /// The size of the result as it is shown.
    pub fn result(&self) -> Dimensions {
        self.crop.size
    }

    /// Checks the pixels after the resize, which may enlarge, against the limits.
    pub fn check(&self, frames: u32, limits: &Limits) -> Result<(), Fault> {
        let pixels = self.size.pixels();
        at_most("pixels after the resize", pixels, limits.max_pixels)?;
        let total = pixels.saturating_mul(frames.into());
        at_most("pixels of all frames after the resize", total, limits.max_total_pixels)
    }

    /// Whether nothing is cropped or scaled.
    pub fn only_turns(&self) -> bool {
        self.part == Rect::all(self.original)
            && self.size == self.original
            && self.crop == Rect::all(self.size)
    }

    /// The smallest scale, as a size of the whole stored image, at which decoding costs the result no detail.
    pub fn needed(&self) -> Dimensions {
        let side = |whole: u32, part: u32, size: u32| {
            let needed = u64::from(whole) * u64::from(size);
            u32::try_from(needed.div_ceil(part.max(1).into())).unwrap_or(u32::MAX)
        };
        let needed = Dimensions::new(
            side(self.original.width, self.part.size.width, self.size.width),
            side(self.original.height, self.part.size.height, self.size.height),
        );
        self.turn.applied_to(needed)
    }

    /// Transforms the stored image, perhaps decoded at a smaller scale, to sRGB. Scales first: the other steps then work on few
    /// pixels.
    pub fn apply(&self, raster: Raster, profile: Option<&[u8]>) -> Result<Raster, Fault> {
        let raster = self.resize().raster(raster)?;
        let raster = colour::to_srgb(raster, profile)?;
        Ok(self.turned_and_cropped(raster))
    }

    /// Whether both sides become shorter.
    pub fn shrinks(&self) -> bool {
        self.size.width < self.part.size.width && self.size.height < self.part.size.height
    }

    /// Transforms the planes of the whole stored image, without a conversion of colours.
    pub fn apply_to_planes(&self, planes: &SubsampledPlanes) -> Result<Planes, Fault> {
        let (resize, reduction) = (self.resize(), planes.reduction);
        let [luma, blue, red] = planes.each().map(|(size, samples)| -> Result<Raster, Fault> {
            let plane = resize.samples(size, Channels::Gray, samples, reduction)?;
            Ok(self.turned_and_cropped(plane))
        });
        Planes::new([luma?, blue?, red?])
    }

    /// The resize of the stored image, which is turned afterwards.
    fn resize(&self) -> Resize {
        let part = turn::stored_part(self.part, self.turn, self.original);
        let whole = self.turn.applied_to(self.original);
        Resize { whole, part, size: self.turn.applied_to(self.size) }
    }

    fn turned_and_cropped(&self, raster: Raster) -> Raster {
        cropped(turn::turned(raster, self.turn), self.crop)
    }
}

fn resized(size: Dimensions, resize: rule::Resize) -> Dimensions {
    match resize {
        rule::Resize::Exact(exact) => exact,
        rule::Resize::Width(width) => Dimensions::new(width, scale(size.height, width, size.width)),
        rule::Resize::Height(height) => {
            Dimensions::new(scale(size.width, height, size.height), height)
        }
    }
}

/// The rectangle of a crop on an image of this size.
fn rect(size: Dimensions, crop: Crop) -> Result<Rect, Fault> {
    let left = crop.left.on(size.width);
    let top = crop.top.on(size.height);
    let width = crop.right.on(size.width).saturating_sub(left);
    let height = crop.bottom.on(size.height).saturating_sub(top);
    if width == 0 || height == 0 {
        return Err(Fault::Unsupported(format!("the crop leaves nothing of a {size} image")));
    }
    Ok(Rect { left, top, size: Dimensions::new(width, height) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::rule::Edge;

    fn size(width: u32, height: u32) -> Dimensions {
        Dimensions::new(width, height)
    }

    #[test]
    fn the_normal_form_is_measured_on_the_turned_image() {
        let normal = Normal { fit: Some(size(100, 100)), ..Normal::default() };
        let transformation =
            Transformation::normal(size(400, 200), Orientation::Rotated90, &normal).unwrap();
        assert_eq!(transformation.result(), size(50, 100));
        let lying = Normal { orient: false, ..normal };
        let transformation =
            Transformation::normal(size(400, 200), Orientation::Rotated90, &lying).unwrap();
        assert_eq!(transformation.result(), size(100, 50));
    }

    #[test]
    fn an_image_within_the_rules_keeps_its_pixels() {
        let normal = Normal { fit: Some(size(400, 400)), ..Normal::default() };
        let transformation =
            Transformation::normal(size(400, 200), Orientation::Upright, &normal).unwrap();
        assert!(transformation.turn == Orientation::Upright && transformation.only_turns());
        let transformation =
            Transformation::normal(size(200, 400), Orientation::Rotated90, &normal).unwrap();
        assert!(transformation.turn == Orientation::Rotated90 && transformation.only_turns());
    }

    #[test]
    fn a_crop_comes_after_the_resize_and_may_not_leave_nothing() {
        let crop = Crop {
            left: Edge::Percent(10.0),
            top: Edge::Pixels(0),
            right: Edge::Percent(60.0),
            bottom: Edge::Pixels(1000),
        };
        let resize = Some(rule::Resize::Width(200));
        let normal = Normal { resize, crop: Some(crop), ..Normal::default() };
        let transformation =
            Transformation::normal(size(100, 50), Orientation::Upright, &normal).unwrap();
        assert_eq!(transformation.result(), size(100, 100));
        let empty = Crop { left: Edge::Pixels(900), ..crop };
        let normal = Normal { crop: Some(empty), ..Normal::default() };
        let refused = Transformation::normal(size(100, 50), Orientation::Upright, &normal);
        assert!(matches!(refused, Err(Fault::Unsupported(_))));
    }

    #[test]
    fn a_cropped_variant_needs_the_whole_at_the_scale_of_its_part() {
        let transformation =
            Transformation::variant(size(4000, 3000), Orientation::Upright, Spec::Fill(200, 200));
        assert_eq!(transformation.needed(), size(267, 200));
    }
}
