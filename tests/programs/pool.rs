// The same as pool.cc: threads of Rust that Python knows nothing of.
use std::hint::black_box;

#[inline(never)]
fn work(size: usize) {
    std::mem::forget(black_box(Vec::<u8>::with_capacity(size)));
    drop(black_box(Vec::<u8>::with_capacity(size + 100000)));
}

#[no_mangle]
pub extern "C" fn run_pool(threads: usize, size: usize) {
    std::thread::scope(|pool| {
        for i in 0..threads {
            pool.spawn(move || work(size + i));
        }
    });
}
