package app

import (
	"context"
	"fmt"
	"slices"

	"switchyard/cloudflare"
	"switchyard/configs"
	"switchyard/tasks"
)

// cloudflareFindings examines whether the jobs for Cloudflare can be done by the
// workers here, where a token is configured. It asks Cloudflare for a rule.
func cloudflareFindings(ctx context.Context, opt DoctorOptions) []Finding {
	c := opt.Config.Cloudflare
	if !slices.Contains(opt.Roles, Worker) || !slices.Contains(sharedQueues(opt.Config), tasks.QueueInteractive) || c.Token.IsZero() {
		return nil
	}
	return []Finding{check{"cloudflare.token", func(ctx context.Context) Finding { return token(ctx, c) }}.run(ctx)}
}

func token(ctx context.Context, c configs.Cloudflare) Finding {
	client := cloudflare.New(c, "switchyard-doctor")
	defer client.Close()
	scopes := len(c.ZoneIDs)
	where := fmt.Sprintf("%d zones", scopes)
	if c.AccountID != "" {
		scopes++
		where = fmt.Sprintf("the account and %d zones", len(c.ZoneIDs))
	}
	if scopes == 1 {
		where = "one scope"
	}
	err := client.Verify(ctx)
	if err == nil {
		return ok("Cloudflare takes it: it may read the Access Rules in " + where + "; whether it may write them, only a job shows")
	}
	if _, temporary := cloudflare.Temporary(err); temporary {
		return warn(err.Error(), "see that api.cloudflare.com can be reached from here (HTTPS), and try again")
	}
	return fail(err.Error(), "give it a token with the right \"Account Firewall Access Rules: Edit\" (zones: \"Firewall Services: Edit\"), and see that account_id and zone_ids are right")
}
