//! A small shop's steady work: a web server, an application that asks a database, a health check.

use super::{Box, FdIs, Proc, Scene};

/// Seconds that every baseline learns.
pub const LEARN: u64 = 180;

pub fn web() -> Box {
    Box::new("web", "112497b102cd", "shop/nginx:1.22")
}

pub fn master() -> Proc {
    Proc::new("/usr/sbin/nginx", 101).args("-g daemon off;")
}

pub fn worker() -> Proc {
    Proc::new("/usr/sbin/nginx", 102).child_of(&master()).uid(33)
}

pub fn app() -> Proc {
    Proc::new("/usr/bin/python3.11", 120).named("python3").args("/app/app.py").uid(1000)
}

/// A server that does everything in one process, as databases do.
pub fn serving() -> Proc {
    Proc::new("/usr/sbin/dbd", 130).uid(999)
}

/// The container's start.
pub fn start(scene: &mut Scene, c: &Box) {
    scene.execve(c, &master());
    scene.openat(c, &master(), "/etc/nginx/nginx.conf", "O_RDONLY");
    scene.openat(c, &master(), "/var/log/nginx/error.log", "O_APPEND|O_CREAT|O_WRONLY");
    scene.listen(c, &master(), "0.0.0.0:80");
    scene.openat(c, &master(), "/etc/passwd", "O_RDONLY");
    scene.execve(c, &app());
    scene.openat(c, &app(), "/app/app.py", "O_RDONLY");
    scene.execve(c, &serving());
    scene.openat(c, &serving(), "/etc/db/server.conf", "O_RDONLY");
    scene.openat(c, &serving(), "/etc/passwd", "O_RDONLY");
}

/// One second of steady work.
pub fn second(scene: &mut Scene, c: &Box, second: u64) {
    let (worker, app) = (worker(), app());
    scene.at(second as f64 + 0.1);
    scene.accept(c, &worker, &format!("172.18.0.{}", 6 + second % 3), "172.18.0.2:80");
    let page = ["/srv/www/index.html", "/srv/www/style.css", "/srv/www/cart.html"];
    let page = page[(second % 3) as usize];
    scene.openat(c, &worker, page, "O_NONBLOCK|O_RDONLY");
    scene.close(c, &worker, &FdIs::File(6, page.to_owned()));
    scene.openat(c, &app, "/var/lib/app/sessions/a.json", "O_TRUNC|O_CREAT|O_WRONLY");
    scene.connect(c, &app, "172.18.0.2", "172.18.0.5:5432");
    scene.openat(c, &app, "/var/log/app/app.log", "O_APPEND|O_CREAT|O_WRONLY");
    scene.accept(c, &serving(), "172.18.0.6", "172.18.0.2:3306");
    if second.is_multiple_of(2) {
        health(scene, c, 10_000 + second as i64 * 4);
    }
    if second.is_multiple_of(20) {
        scene.openat(c, &master(), "/etc/nginx/nginx.conf", "O_RDONLY");
    }
}

/// The health check: a shell that runs curl.
pub fn health(scene: &mut Scene, c: &Box, pid: i64) {
    let shell = Proc::new("/usr/bin/dash", pid)
        .named("sh")
        .args("-c curl -fs http://127.0.0.1/ -o /dev/null || exit 1")
        .exec();
    let curl = Proc::new("/usr/bin/curl", pid + 1)
        .args("-fs http://127.0.0.1/ -o /dev/null")
        .child_of(&shell);
    scene.execve(c, &shell);
    scene.execve(c, &curl);
    scene.connect(c, &curl, "127.0.0.1", "127.0.0.1:80");
    scene.exit(c, &curl);
    scene.exit(c, &shell);
}

/// Steady work of `from..to`, the start before it when `from` is 0.
pub fn steady(scene: &mut Scene, c: &Box, from: u64, to: u64) {
    if from == 0 {
        scene.at(0.0);
        start(scene, c);
    }
    for at in from..to {
        second(scene, c, at);
    }
}
