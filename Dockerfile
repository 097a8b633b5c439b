# One image with every process; what runs is the command: coordinator, operator,
# probe or fleetlens. It runs as an ordinary user. A probe that shall see all of its
# host is started as root with SYS_PTRACE and DAC_READ_SEARCH, as in docker-compose.yml.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/bin/ \
    ./cmd/coordinator ./cmd/operator ./cmd/probe ./cmd/fleetlens

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/bin/ /usr/local/bin/
USER nonroot:nonroot
CMD ["fleetlens", "help"]
