//! Materials: paths, sniffing, spintax, the library.
