module tailrace

go 1.24
