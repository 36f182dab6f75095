module everything

go 1.24

require tailrace v0.0.0

replace tailrace => ../..
