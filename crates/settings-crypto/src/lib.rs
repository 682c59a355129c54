//! Keys, tokens, seals and signatures over ring.
