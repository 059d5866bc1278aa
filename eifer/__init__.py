"""The science of the study: tables and arrays in, tables and arrays out."""
