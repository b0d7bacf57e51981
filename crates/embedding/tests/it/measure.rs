//! What a real model says: similarities, time, and that its threads do not show. Run by hand:
//! `HANABI_EMBEDDING_MODEL=DIR cargo test --release -p hanabi-embedding -- --ignored --nocapture`.

use std::{path::PathBuf, time::Instant};

use hanabi_embedding::Encoder;

/// Words as the matcher gives them to a model, by what should become of them.
const NEAR: [(&str, &str); 16] = [
    ("orders", "invoices"),
    ("orders", "purchases"),
    ("backup", "archive"),
    ("backup", "snapshot"),
    ("customers", "clients"),
    ("products", "articles"),
    ("access", "error"),
    ("report", "summary"),
    ("sales", "revenue"),
    ("daily report", "weekly report"),
    ("photo", "picture"),
    ("users", "customers"),
    ("temperature", "humidity"),
    ("monday", "tuesday"),
    ("shipments", "deliveries"),
    ("payments", "transactions"),
];
const FAR: [(&str, &str); 16] = [
    ("orders", "humidity"),
    ("orders", "kernel"),
    ("orders", "exploit"),
    ("orders", "payload"),
    ("invoices", "loot"),
    ("backup", "payload"),
    ("report", "keylogger"),
    ("sales", "miner"),
    ("access", "stolen"),
    ("photo", "ransom note"),
    ("users", "hashes"),
    ("temperature", "shell"),
    ("payments", "exfil"),
    ("dump", "orders"),
    ("customers", "memory dump"),
    ("xmrig", "orders"),
];
const OPPOSITE: [(&str, &str); 16] = [
    ("start", "stop"),
    ("read", "write"),
    ("enable", "disable"),
    ("get", "delete"),
    ("pull", "push"),
    ("up", "down"),
    ("allow", "deny"),
    ("encrypt", "decrypt"),
    ("curl", "wget"),
    ("bash", "python"),
    ("nginx", "apache"),
    ("mysql", "postgres"),
    ("shadow", "passwd"),
    ("users", "passwords"),
    ("config", "secrets"),
    ("public", "private"),
];

#[test]
#[ignore = "a measurement; HANABI_EMBEDDING_MODEL names a model's directory"]
fn similarities_and_time_of_a_real_model() {
    let Some(directory) = std::env::var_os("HANABI_EMBEDDING_MODEL").map(PathBuf::from) else {
        println!("HANABI_EMBEDDING_MODEL names no directory");
        return;
    };
    let began = Instant::now();
    let encoder = Encoder::load(&directory).unwrap();
    println!("loaded in {:?}, {} dimensions", began.elapsed(), encoder.dimension());
    for (title, pairs) in [("near", NEAR), ("far", FAR), ("opposite", OPPOSITE)] {
        let mut rows: Vec<(f64, String)> = pairs
            .iter()
            .map(|(a, b)| {
                let (x, y) = (encoder.encode(a).unwrap(), encoder.encode(b).unwrap());
                let cosine = x.iter().zip(&y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
                (cosine, format!("{a} / {b}"))
            })
            .collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        println!("{title}");
        for (cosine, pair) in rows {
            println!("  {cosine:.3}  {pair}");
        }
    }
    for text in ["orders", "daily customer orders of the region", &"word ".repeat(100)] {
        let mut times: Vec<_> = (0..50)
            .map(|_| {
                let began = Instant::now();
                encoder.encode(text).unwrap();
                began.elapsed()
            })
            .collect();
        times.sort();
        println!("{:?} (median), {:?} (most): {text:.40}", times[25], times[49]);
    }
}
