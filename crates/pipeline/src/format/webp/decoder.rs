//! WebP decoding by libwebp, still and animated.

use super::libwebp;
use crate::format::animation::{Frame, Repeat};
use crate::format::codec::{FrameSink, Picture, Source};
use crate::format::survey::Profile;
use crate::job::Fault;
use crate::raster::Raster;

pub fn verify(source: &Source<'_>) -> Result<Profile, Fault> {
    if source.survey.frames == 1 && !is_animated(source)? {
        return still(source).map(|_| Profile::Kept);
    }
    let mut frames = libwebp::Frames::new(source.bytes)?;
    let mut count = 0;
    while frames.next_frame()?.is_some() {
        count += 1;
    }
    if count == source.survey.frames {
        return Ok(Profile::Kept);
    }
    Err(Fault::Corrupt(format!("{count} of {} frames can be read", source.survey.frames)))
}

pub fn picture(source: &Source<'_>) -> Result<Picture, Fault> {
    let raster = if is_animated(source)? {
        let mut frames = libwebp::Frames::new(source.bytes)?;
        let first = frames.next_frame()?;
        first.ok_or_else(|| Fault::Corrupt("there is no image in the file".into()))?.0
    } else {
        still(source)?
    };
    Ok(Picture { raster, profile: source.survey.profile.clone() })
}

pub fn frames(source: &Source<'_>, sink: &mut FrameSink<'_>) -> Result<(), Fault> {
    let mut frames = libwebp::Frames::new(source.bytes)?;
    let repeat = match u16::try_from(frames.loops()) {
        Ok(0) | Err(_) => Repeat::Forever,
        Ok(times) => Repeat::Times(times),
    };
    let mut shown = 0;
    while let Some((raster, until)) = frames.next_frame()? {
        sink(Frame { raster, duration: until.saturating_sub(shown) }, repeat)?;
        shown = until;
    }
    Ok(())
}

fn is_animated(source: &Source<'_>) -> Result<bool, Fault> {
    libwebp::features(source.bytes).map(|features| features.animated)
}

fn still(source: &Source<'_>) -> Result<Raster, Fault> {
    let features = libwebp::features(source.bytes)?;
    if features.size != source.survey.size {
        let (inner, outer) = (features.size, source.survey.size);
        return Err(Fault::Corrupt(format!("a picture of {inner} lies in a canvas of {outer}")));
    }
    libwebp::decode(source.bytes, &features)
}
