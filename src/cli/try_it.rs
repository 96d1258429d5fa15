use super::Failure;
pub async fn run(_: super::args::TryArgs, _: Option<&std::path::Path>) -> Result<(), Failure> {
    Err(Failure::refused("x"))
}
