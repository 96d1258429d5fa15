//! The `chancery` binary.

fn main() -> std::process::ExitCode {
    chancery::cli::main()
}
