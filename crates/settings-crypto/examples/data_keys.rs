//! Prints SQL that adds data keys of workspaces that nobody uses, each wrapped by a keyring's active key: what a rotation is
//! measured with. Usage: `data_keys KEYRING COUNT sqlite|postgres`.
#![expect(clippy::unwrap_used, reason = "a tool of the measurement")]
use settings_crypto::LocalKeyring;
use settings_domain::ports::keyring::Keyring as _;
use std::{
    env,
    io::{self, Write as _},
    path::Path,
};
use uuid::Uuid;

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [keyring, count, engine] = arguments.as_slice() else {
        return Err(io::Error::other("say: KEYRING COUNT sqlite|postgres"));
    };
    let ring = LocalKeyring::open(Path::new(keyring)).map_err(io::Error::other)?;
    let count: u128 = count.parse().map_err(io::Error::other)?;
    let (open, bytes) = if engine == "sqlite" { ("x'", "x'") } else { ("'", "'\\x") };
    let mut out = io::BufWriter::new(io::stdout().lock());
    writeln!(out, "BEGIN;")?;
    for n in 1..=count {
        let workspace = Uuid::from_u128(0x0192_f0c1_0000_7000_8000_0000_0000_0000 | n);
        let text = workspace.to_string();
        let context = [("purpose", "data-key"), ("workspace", text.as_str()), ("generation", "1")];
        let data = ring.generate_data_key(&context).await.unwrap();
        let (id, wrapped) = (workspace.simple(), hex::encode(&data.wrapped));
        let values = format!("{open}{id}', 1, {bytes}{wrapped}', '{}', 0", data.wrapped_by);
        writeln!(
            out,
            "INSERT INTO data_keys (workspace_id, generation, wrapped, wrapped_by, created_at) VALUES ({values});"
        )?;
    }
    writeln!(out, "COMMIT;")
}
