// Every common way from Rust to the allocator, each from a function of its own, and what that
// asks for, on stdout: "function bytes blocks".
use std::hint::black_box;

#[inline(never)]
fn by_vec() -> Vec<u8> {
    Vec::with_capacity(40001)
}

#[inline(never)]
fn by_box() -> Box<[u64; 5001]> {
    black_box(Box::new([black_box(7); 5001]))
}

#[inline(never)]
fn by_string() -> String {
    String::with_capacity(40003)
}

#[inline(never)]
fn by_zeroed() -> Vec<u8> {
    vec![0; 40004]
}

#[inline(never)]
fn by_growing() -> Vec<u8> {
    // On one line: valgrind adds what a block has grown to where it came from.
    let mut grown: Vec<u8> = Vec::with_capacity(10); grown.reserve_exact(black_box(40005));
    grown
}

#[inline(never)]
fn by_closure() -> Box<dyn Fn() -> u8> {
    let bytes = [black_box(1u8); 40006];
    Box::new(move || bytes[9])
}

fn main() {
    let kept = (by_vec(), by_box(), by_string(), by_zeroed(), by_growing(), by_closure());
    println!(
        "by_vec 40001 1\nby_box 40008 1\nby_string 40003 1\nby_zeroed 40004 1\n\
         by_growing 40015 2\nby_closure 40006 1"
    );
    std::mem::forget(black_box(kept));
}
