use super::*;
use proptest::prelude::*;

const ALL: [Compression; 4] = [Compression::None, Compression::Gzip, Compression::Zlib, Compression::Zstd];
const PACKED: [Compression; 3] = [Compression::Gzip, Compression::Zlib, Compression::Zstd];

fn pack(compression: Compression, data: &[u8]) -> Vec<u8> {
    encode(compression, None, data).unwrap()
}

fn corrupt(result: Result<Vec<u8>, DecodeError>) -> bool {
    matches!(result, Err(DecodeError::Corrupt { .. }))
}

proptest! {
    /// What is compressed comes back, at every level, under a cap of exactly its size; one byte less is too large.
    #[test]
    fn bodies_survive(data in proptest::collection::vec(0u8..9, 1..5_000), level in 0i32..=9) {
        for compression in ALL {
            let packed = encode(compression, Some(level), &data).unwrap();
            prop_assert_eq!(&decode(compression, &packed, data.len()).unwrap(), &data);
            let limit = data.len() - 1;
            prop_assert_eq!(decode(compression, &packed, limit), Err(DecodeError::TooLarge { limit }));
        }
    }

    /// Cut off anywhere, or with anything behind the end, a body is refused; it never panics and never comes out short.
    #[test]
    fn damaged_bodies_are_refused(data in proptest::collection::vec(0u8..9, 20..2_000), cut in 0.0f64..1.0, tail in proptest::collection::vec(1u8..0x1e, 1..20)) {
        for compression in PACKED {
            let packed = pack(compression, &data);
            let end = 1 + (cut * (packed.len() - 1) as f64) as usize;
            prop_assume!(end < packed.len());
            prop_assert!(corrupt(decode(compression, &packed[..end], 1 << 20)), "{compression} cut at {end}");
            let longer = [&packed[..], &tail].concat();
            prop_assert!(corrupt(decode(compression, &longer, 1 << 20)), "{compression} with a tail");
        }
    }

    /// Rubbish that claims to be compressed.
    #[test]
    fn rubbish_does_not_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        for compression in PACKED {
            let _ = decode(compression, &data, 1 << 16);
            let _ = output_hint(compression, &data, 1 << 16);
        }
        let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &data].concat();
        let zstd = [&[0x28, 0xb5, 0x2f, 0xfd][..], &data].concat();
        let _ = decode(Compression::Gzip, &gzip, 1 << 16);
        let _ = decode(Compression::Zstd, &zstd, 1 << 16);
    }
}

/// Several gzip members, and several zstd frames, are one body, also if they are twice the same.
#[test]
fn concatenated_bodies_are_one() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        for other in ["second", "first!"] {
            let packed = [pack(compression, b"first!"), pack(compression, other.as_bytes())].concat();
            let expected = ["first!", other].concat().into_bytes();
            assert_eq!(decode(compression, &packed, 100), Ok(expected), "{compression}");
            assert_eq!(decode(compression, &packed, 11), Err(DecodeError::TooLarge { limit: 11 }), "{compression}");
        }
    }
}

/// 64 MiB of zeros in some kilobytes, under a cap of 1 MiB: refused, and never more memory than the cap is taken for it.
#[test]
fn bombs_stop_at_the_limit() {
    let limit = 1 << 20;
    let zeros = vec![0; 64 << 20];
    for compression in PACKED {
        let bomb = encode(compression, Some(9), &zeros).unwrap();
        assert!(bomb.len() < 100 << 10, "{compression}: {}", bomb.len());
        assert_eq!(decode(compression, &bomb, limit), Err(DecodeError::TooLarge { limit }), "{compression}");
        assert!(output_hint(compression, &bomb, limit) <= limit);
    }
}

/// A gzip body whose last four bytes lie about its size, in both directions.
#[test]
fn a_lie_about_the_size_is_found() {
    let mut small = pack(Compression::Gzip, &[7; 1_000]);
    let end = small.len() - 4;
    small[end..].copy_from_slice(&3u32.to_le_bytes());
    assert!(corrupt(decode(Compression::Gzip, &small, 1 << 20)));
    small[end..].copy_from_slice(&500_000u32.to_le_bytes());
    assert!(corrupt(decode(Compression::Gzip, &small, 1 << 20)));
}

/// zstd streams whose frames do not tell their size, as Go's encoder writes them; and windows beyond the limit.
#[test]
fn zstd_streams_without_a_size() {
    use std::io::Write as _;
    let data: Vec<u8> = (0..300_000u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
    let stream = |window_log: u32| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(&data).unwrap();
        encoder.finish().unwrap()
    };
    let packed = stream(20);
    assert_eq!(decode(Compression::Zstd, &packed, data.len()).as_ref(), Ok(&data));
    let limit = data.len() - 1;
    assert_eq!(decode(Compression::Zstd, &packed, limit), Err(DecodeError::TooLarge { limit }));
    assert!(corrupt(decode(Compression::Zstd, &stream(27), 1 << 30)));
    // And the same thread's context is as good as new.
    assert_eq!(decode(Compression::Zstd, &packed, data.len()).as_ref(), Ok(&data));
}

/// HTTP's `deflate` is zlib; some clients send raw deflate.
#[test]
fn raw_deflate_is_understood() {
    use std::io::Write as _;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"raw raw raw raw").unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(decode(Compression::Zlib, &packed, 100), Ok(b"raw raw raw raw".to_vec()));
}

/// Bodies in all codings at once on many threads, some of them broken: each gets its own back.
#[test]
fn concurrent_bodies_do_not_mix() {
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            scope.spawn(move || {
                for round in 0..200u8 {
                    let data = vec![thread ^ round; 100 + usize::from(round) * 50];
                    let compression = PACKED[usize::from(round) % 3];
                    let packed = pack(compression, &data);
                    if round % 5 == 0 {
                        let _ = decode(compression, &packed[..packed.len() / 2], 1 << 20);
                    }
                    assert_eq!(decode(compression, &packed, 1 << 20), Ok(data));
                }
            });
        }
    });
}

/// A body that says it becomes large is decompressed off the runtime and comes back the same.
#[tokio::test]
async fn large_bodies_leave_the_runtime() {
    let data = vec![5; 5 << 20];
    for compression in ALL {
        let packed = encode(compression, None, &data).unwrap();
        let out = decode_async(compression, packed.into(), data.len()).await.unwrap();
        assert_eq!(out, data);
    }
}

#[test]
fn levels_that_do_not_exist_are_errors() {
    for (compression, level) in [(Compression::Gzip, 10), (Compression::Zlib, -1), (Compression::Zstd, 23)] {
        assert!(encode(compression, Some(level), b"x").is_err(), "{compression} {level}");
    }
}

#[test]
fn names_are_those_of_http_and_grpc() {
    for compression in ALL {
        assert_eq!(Compression::from_http(compression.as_str()), Some(compression));
        assert_eq!(Compression::from_grpc(compression.as_str()), Some(compression));
    }
    assert_eq!(Compression::from_http("GZIP"), Some(Compression::Gzip));
    assert_eq!(Compression::from_http("zlib"), Some(Compression::Zlib));
    assert_eq!(Compression::from_http("br"), None);
    assert_eq!(Compression::from_grpc("snappy"), None);
}
