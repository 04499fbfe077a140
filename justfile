# Shortcuts for the commands the documents name. Nothing here that cannot be typed without `just`.

# list the recipes
default:
    @just --list

# every plugin against an embedded lab on loopback; no root, nothing to install
demo *args:
    cargo demo {{ args }}

# everything .ci/run runs; `just test --full` adds the long parts
test *args:
    tests/run {{ args }}

# what the build refuses
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo deny check bans licenses sources

# format the whole workspace
fmt:
    cargo fmt --all

# the API documentation, warnings refused
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# speed and size, measured on the shipped profile
bench *args:
    tests/bench/run {{ args }}

# man pages and engine definitions into target/generated
gen:
    cargo run --quiet --locked --package packaging-gen --bin gen
