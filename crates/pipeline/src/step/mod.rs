//! The steps from decoded pixels to kept ones, and the recipe that says which of them an image takes.
//! Does not know formats: what comes in was decoded, what goes out is encoded elsewhere.

mod colour;
mod cut;
mod flatten;
mod resize;
mod turn;

use crate::container::at_most;
use crate::exif::Orientation;
use crate::job::{Fault, Limits};
use crate::planes::{Coded, Planes};
use crate::raster::Raster;
use words::dimensions::{Dimensions, scale};
use words::rule::{Crop, Normal, Resize};
use words::variant::Spec;

pub use colour::to_srgb;
pub use flatten::{flattened, with_hard_alpha, without_gray};
pub use turn::turned as raster_turned;

/// A rectangle inside an image, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub left: u32,
    pub top: u32,
    pub size: Dimensions,
}

impl Part {
    pub fn whole(size: Dimensions) -> Self {
        Self { left: 0, top: 0, size }
    }
}

/// What is done to the pixels. All sizes are of the image as it is shown after the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// How the stored pixels are turned.
    turn: Orientation,
    /// What of the turned original is used.
    part: Part,
    /// What that is scaled to.
    size: Dimensions,
    /// What is cut out of that.
    cut: Part,
    /// The turned original.
    original: Dimensions,
}

impl Recipe {
    /// The way to the normal form of an image of the stored size.
    pub fn normal(
        stored: Dimensions,
        orientation: Orientation,
        normal: &Normal,
    ) -> Result<Self, Fault> {
        let turn = if normal.orient { orientation } else { Orientation::Upright };
        let original = turned(stored, turn);
        let fitted = normal.fit.map_or(original, |bounds| original.fit_inside(bounds));
        let size = normal.resize.map_or(fitted, |resize| resized(fitted, resize));
        let cut = match normal.crop {
            Some(crop) => cropped(size, crop)?,
            None => Part::whole(size),
        };
        Ok(Self { turn, part: Part::whole(original), size, cut, original })
    }

    /// The way to a variant of an image of the stored size.
    pub fn variant(stored: Dimensions, orientation: Orientation, spec: Spec) -> Self {
        let original = turned(stored, orientation);
        let geometry = spec.geometry(original);
        let (left, top, size) = geometry.crop;
        let part = Part { left, top, size };
        let cut = Part::whole(geometry.size);
        Self { turn: orientation, part, size: geometry.size, cut, original }
    }

    /// Of the result, as it is shown.
    pub fn result(&self) -> Dimensions {
        self.cut.size
    }

    /// Passes what makes no more pixels than may be read: a resize may enlarge.
    pub fn within(&self, frames: u32, limits: &Limits) -> Result<(), Fault> {
        let pixels = self.size.pixels();
        at_most("pixels after the resize", pixels, limits.max_pixels)?;
        let total = pixels.saturating_mul(frames.into());
        let all = limits.max_total_pixels.max(limits.max_pixels);
        at_most("pixels of all frames after the resize", total, all)
    }

    pub fn turn(&self) -> Orientation {
        self.turn
    }

    /// Whether pixels stay where they are, but for the turn.
    pub fn only_turns(&self) -> bool {
        self.part == Part::whole(self.original)
            && self.size == self.original
            && self.cut == Part::whole(self.size)
    }

    pub fn changes_pixels(&self) -> bool {
        self.turn != Orientation::Upright || !self.only_turns()
    }

    /// The smallest size of the whole stored image from which the result loses nothing.
    pub fn needed(&self) -> Dimensions {
        let side = |whole: u32, part: u32, size: u32| {
            let needed = u64::from(whole) * u64::from(size);
            u32::try_from(needed.div_ceil(part.max(1).into())).unwrap_or(u32::MAX)
        };
        let needed = Dimensions::new(
            side(self.original.width, self.part.size.width, self.size.width),
            side(self.original.height, self.part.size.height, self.size.height),
        );
        turned(needed, self.turn)
    }

    /// Works on the pixels of the whole stored image, which may have been decoded at a smaller scale. The colours are
    /// sRGB afterwards. Scaling comes first, so that all else works on few pixels.
    pub fn apply(&self, raster: Raster, profile: Option<&[u8]>) -> Result<Raster, Fault> {
        let part = turn::stored_part(self.part, self.turn, self.original);
        let stored = turned(self.original, self.turn);
        let raster = resize::scaled(raster, stored, part, turned(self.size, self.turn))?;
        let raster = colour::to_srgb(raster, profile)?;
        Ok(self.turned_and_cut(raster))
    }

    /// Whether there are fewer pixels in the end than in the part that they are made of, both ways.
    pub fn shrinks(&self) -> bool {
        self.size.width < self.part.size.width && self.size.height < self.part.size.height
    }

    /// The same in planes, whose colours stay what they are.
    pub fn apply_to_planes(&self, coded: &Coded) -> Result<Planes, Fault> {
        let part = turn::stored_part(self.part, self.turn, self.original);
        let stored = turned(self.original, self.turn);
        let size = turned(self.size, self.turn);
        let [light, blue, red] = coded.each().map(|plane| {
            let plane = resize::plane(plane, coded.grain(), stored, part, size)?;
            Ok(self.turned_and_cut(plane))
        });
        Planes::new([light?, blue?, red?])
    }

    fn turned_and_cut(&self, raster: Raster) -> Raster {
        cut::cut(turn::turned(raster, self.turn), self.cut)
    }
}

fn turned(size: Dimensions, turn: Orientation) -> Dimensions {
    if turn.swaps_sides() { size.swapped() } else { size }
}

fn resized(size: Dimensions, resize: Resize) -> Dimensions {
    match resize {
        Resize::Exact(exact) => exact,
        Resize::Width(width) => Dimensions::new(width, scale(size.height, width, size.width)),
        Resize::Height(height) => Dimensions::new(scale(size.width, height, size.height), height),
    }
}

fn cropped(size: Dimensions, crop: Crop) -> Result<Part, Fault> {
    let left = crop.left.on(size.width);
    let top = crop.top.on(size.height);
    let width = crop.right.on(size.width).saturating_sub(left);
    let height = crop.bottom.on(size.height).saturating_sub(top);
    if width == 0 || height == 0 {
        return Err(Fault::Unsupported(format!("the crop leaves nothing of a {size} image")));
    }
    Ok(Part { left, top, size: Dimensions::new(width, height) })
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
        let recipe = Recipe::normal(size(400, 200), Orientation::Rotated90, &normal).unwrap();
        assert_eq!(recipe.result(), size(50, 100));
        let lying = Normal { orient: false, ..normal };
        let recipe = Recipe::normal(size(400, 200), Orientation::Rotated90, &lying).unwrap();
        assert_eq!(recipe.result(), size(100, 50));
    }

    #[test]
    fn an_image_within_the_rules_keeps_its_pixels() {
        let normal = Normal { fit: Some(size(400, 400)), ..Normal::default() };
        let recipe = Recipe::normal(size(400, 200), Orientation::Upright, &normal).unwrap();
        assert!(!recipe.changes_pixels());
        let recipe = Recipe::normal(size(200, 400), Orientation::Rotated90, &normal).unwrap();
        assert!(recipe.changes_pixels() && recipe.only_turns());
    }

    #[test]
    fn a_crop_comes_after_the_resize_and_may_not_leave_nothing() {
        let crop = Crop {
            left: Edge::Percent(10.0),
            top: Edge::Pixels(0),
            right: Edge::Percent(60.0),
            bottom: Edge::Pixels(1000),
        };
        let resize = Some(Resize::Width(200));
        let normal = Normal { resize, crop: Some(crop), ..Normal::default() };
        let recipe = Recipe::normal(size(100, 50), Orientation::Upright, &normal).unwrap();
        assert_eq!(recipe.result(), size(100, 100));
        let empty = Crop { left: Edge::Pixels(900), ..crop };
        let normal = Normal { crop: Some(empty), ..Normal::default() };
        let refused = Recipe::normal(size(100, 50), Orientation::Upright, &normal);
        assert!(matches!(refused, Err(Fault::Unsupported(_))));
    }

    #[test]
    fn what_a_cut_variant_needs_is_the_whole_at_the_scale_of_the_part() {
        let recipe = Recipe::variant(size(4000, 3000), Orientation::Upright, Spec::Fill(200, 200));
        assert_eq!(recipe.needed(), size(267, 200));
    }
}
