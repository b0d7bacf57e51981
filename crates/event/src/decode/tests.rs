//! Lines as Falco prints them, quirk by quirk.
