//! `cargo run -p siltstone-fuzz --profile quick -- TARGET [--seconds N] [--seed N] [--from N]`
//!
//! Feeds a target damaged inputs for so many seconds of the processor. Exit code 1 means that it
//! panicked; the message above says where, and the last line with which input.

use std::process::ExitCode;

use siltstone_fuzz::runner::{TARGETS, Target, Until, keep};

/// How long a run is unless told otherwise.
const SECONDS: u64 = 60;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let place = arguments.iter().position(|argument| argument == name);
        let value = place.and_then(|place| arguments.get(place + 1));
        value.map_or(Some(default), |value| value.parse().ok())
    };
    let numbers = (
        number("--seconds", SECONDS),
        number("--seed", 0),
        number("--from", 0),
    );
    let targets: Vec<Target> = match arguments.first().map(String::as_str) {
        Some("all") => TARGETS.to_vec(),
        Some(name) => Target::named(name).into_iter().collect(),
        None => Vec::new(),
    };
    let ((Some(seconds), Some(seed), Some(from)), false) = (numbers, targets.is_empty()) else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!(
            "say which target, and for how long: {} or all [--seconds N] [--seed N] [--from N]",
            names.join(", ")
        );
        return ExitCode::from(2);
    };
    let mut is_sound = true;
    for target in targets {
        let run = target.fuzz(seed, from, Until::Seconds(seconds));
        let seconds = run.took.as_secs_f64();
        println!("{}: {} inputs in {seconds:.0} s", target.name, run.inputs);
        if let Some((number, input)) = run.failure {
            is_sound = false;
            println!("{}: input {number} of seed {seed} panics", target.name);
            match keep(target.name, number, &input) {
                Ok(path) => println!("{}: it is in {}", target.name, path.display()),
                Err(error) => println!("{}: it cannot be kept: {error}", target.name),
            }
        }
    }
    match is_sound {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
