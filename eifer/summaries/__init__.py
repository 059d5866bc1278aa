"""Tables of the report, one file each: tables in, a table and its caption out."""
