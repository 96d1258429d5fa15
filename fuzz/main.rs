//! All fuzz targets in one program, so that one is linked: `CHANCERY_FUZZ_TARGET` says which. scripts/fuzz runs it.

#![no_main]

mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("CHANCERY_FUZZ_TARGET").expect("CHANCERY_FUZZ_TARGET names a target");
    let mut targets = targets::TARGETS.into_iter();
    let target = targets.find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("there is no target {name}")).1
});

fuzz_target!(|data: &[u8]| TARGET(data));
