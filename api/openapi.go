package api

import (
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"switchyard/strategy/catalog"
)

// The keys of huma.Operation.Metadata that the document is made from.
const (
	// metaScope is the scope that an operation asks for, "" where it is open to
	// all.
	metaScope = "scope"
	// metaPlain marks the operations that keep the older proxy API's error form.
	metaPlain = "plain"
)

// The tags, in the order in which readers see them.
const (
	tagHosts      = "Hosts"
	tagProxies    = "Proxies"
	tagJobs       = "Jobs"
	tagCloudflare = "Cloudflare"
	tagTelegram   = "Telegram"
	tagTrading    = "Trading"
	tagStrategies = "Strategies"
	tagDeploy     = "Deployments"
	tagAlerts     = "Alerts"
	tagLive       = "Live"
	tagLegacy     = "Older proxy API"
	tagOperations = "Operations"
	tagPages      = "Pages"
)

const apiDescription = `Requests become jobs; whoever waits for an outcome hears of it.

**Errors** are problem documents (RFC 9457, ` + "`application/problem+json`" + `) with a ` + "`code`" + ` for programs and,
where there is one, the ` + "`field`" + ` at fault. A field's code is made of its name: ` + "`missing_port`, `invalid_port`" + `.
A refused request leaves nothing behind. The addresses of the older proxy API answer ` + "`{\"error\": \"…\"}`" + ` instead.

**Accepted** is 202 with a ` + "`job_id`" + `: the job is kept from then on. 503 with ` + "`Retry-After`" + ` means that nothing was accepted.

**Repeating** a POST is safe with an ` + "`Idempotency-Key`" + `: the same key and body get the first answer again.

**Access** is by key, or by the network that the caller is in (the configuration's ` + "`auth`" + `). Each operation says which
scope it asks for; ` + "`admin`" + ` has all of them.

**Times** are RFC 3339 in UTC with milliseconds, but for the status document's own.`

// humaConfig leaves out huma's transformer that adds "$schema" to documents
// whose members are fixed, and its own pages, which load from elsewhere.
func humaConfig(version string) huma.Config {
	c := huma.DefaultConfig("Switchyard", version)
	c.CreateHooks = nil
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.Info.Description = apiDescription
	c.Info.License = &huma.License{Name: "Apache License 2.0", Identifier: "Apache-2.0"}
	c.Servers = []*huma.Server{{URL: "/", Description: "The server that this document comes from"}}
	c.Tags = []*huma.Tag{
		{Name: tagHosts, Description: "The machines that the dongles are in."},
		{Name: tagProxies, Description: "LTE dongles, each a proxy with an address of its own."},
		{Name: tagJobs, Description: "What was asked for, how far it is, and what came of it."},
		{Name: tagCloudflare, Description: "Addresses blocked by Cloudflare, and released."},
		{Name: tagTelegram, Description: "Messages to chats."},
		{Name: tagTrading, Description: "Alerts that become orders at exchanges."},
		{Name: tagStrategies, Description: "Backtests and programs that are executed, and what came of them."},
		{Name: tagDeploy, Description: "Projects brought up to date by the steps of their pipelines."},
		{Name: tagAlerts, Description: "What people should know of: since when, and whether it is over."},
		{Name: tagLive, Description: "What happens, as it happens."},
		{Name: tagLegacy, Description: "The addresses that the clients of the older proxy API know, with its answers and its error form."},
		{Name: tagOperations, Description: "For those who run a server: is it alive, does it take requests, how much does it do."},
		{Name: tagPages, Description: "Pages for people, and this document."},
	}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		schemeBearer: {Type: "http", Scheme: "bearer", Description: "An API key, as `Authorization: Bearer …`."},
		schemeHeader: {Type: "apiKey", In: "header", Name: "X-API-Key", Description: "An API key, as `X-API-Key: …`."},
		schemeBasic:  {Type: "http", Scheme: "basic", Description: "An API key as the password, any user name: for browsers at /monitoring."},
	}
	return c
}

const (
	schemeBearer = "bearer"
	schemeHeader = "apiKey"
	schemeBasic  = "basic"
)

// finishDocument adds to huma's description what the types can't tell: who may
// call, and what each status looks like. It is for when all operations are
// there.
func finishDocument(doc *huma.OpenAPI) {
	finishSchemas(doc.Components.Schemas.Map())
	if doc.Paths["/monitoring"] == nil {
		delete(doc.Components.SecuritySchemes, schemeBasic) // only that page takes it
	}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				describeAccess(op)
				describeBody(op)
				describeFaults(op)
			}
		}
	}
}

// describeAccess states the scope. Beside the keys stands {}, since a caller in
// one of auth.networks needs none.
func describeAccess(op *huma.Operation) {
	scope, _ := scopeOf(op)
	if scope == open {
		op.Security = []map[string][]string{{}}
		return
	}
	if op.Security == nil {
		op.Security = []map[string][]string{{schemeBearer: {string(scope)}}, {schemeHeader: {string(scope)}}, {}}
	}
	if op.Description != "" {
		op.Description += "\n\n"
	}
	op.Description += "Scope: `" + string(scope) + "`."
}

// describeBody takes out what huma adds for reading a body raw, beside its
// document: octets are refused.
func describeBody(op *huma.Operation) {
	if op.RequestBody != nil && op.RequestBody.Content["application/json"] != nil {
		delete(op.RequestBody.Content, "application/octet-stream")
	}
}

// openapi answers with the document of this API: GET /openapi.json.
func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.document) // the client may have gone
}

// writeDocument makes the document, once; it doesn't change while a server lives.
func writeDocument(api huma.API, r chi.Routes, strategies *catalog.Catalog) []byte {
	doc := api.OpenAPI()
	describePlain(doc, r)
	defer describeParameters(doc, strategies)()
	finishDocument(doc)
	b, err := json.Marshal(doc)
	if err != nil {
		panic("api: the document of the API can't be written: " + err.Error()) // it is the same for every server
	}
	return b
}
