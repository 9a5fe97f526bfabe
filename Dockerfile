# check=error=true

# The image of every role: one static file, the certificates it trusts, and
# nothing that could be run instead of it. Time zones are in the program.
#
#     docker build --build-arg VERSION="$(git describe --tags --always --dirty)" --tag switchyard .

FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
# The toolchain is the image's; another one would be a surprise.
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly
# The modules change less often than the source, so they are a layer of their own.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ARG TARGETOS TARGETARCH
# As `make build` does it.
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags "-X main.version=$VERSION" -o /out/switchyard ./cmd/switchyard

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="Switchyard" \
      org.opencontainers.image.description="A job queue for proxy hosts, strategies, orders and messages" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/switchyard /switchyard
# Nobody: a number, as there is no /etc/passwd.
USER 65532:65532
# The order to stop is SIGTERM; give it longer than worker.shutdown_timeout.
STOPSIGNAL SIGTERM
EXPOSE 8080 8000
ENTRYPOINT ["/switchyard"]
CMD ["serve"]
