using System.Globalization;
using System.Net;
using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Attestation.Verdicts;
using Cube.Proxy.Authentication;
using Cube.Proxy.Authorization;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Tokens;

namespace Cube.Proxy.Attestation.Api;

/// <summary>
/// The platform's own attestation paths: its floor, which no domain can go below, and what every machine proved. For administrators of
/// the platform; <c>/attestation/verify?domain_id=</c> for members of that domain too.
/// </summary>
internal sealed class PlatformAttestation(PolicyDesk desk, VerdictJournal journal, TokenVerifier tokens, IdentityClient identity, Standings standings)
{
    private const string Scope = PolicySnapshot.Platform;

    public static void Map(WebApplication app)
    {
        var group = app.MapGroup("/attestation");
        group.MapGet("/verify", static (HttpContext context, PlatformAttestation api) => api.VerifyAsync(context));
        group.MapGet("/evidence", static (HttpContext context, PlatformAttestation api) => api.AdministerAsync(context, (_, _) => api.EvidenceAsync(context)));
        group.MapGet("/policy", static (HttpContext context, PlatformAttestation api) => api.AdministerAsync(context, (desk, _) => VersionOf(context) is (true, var version)
            ? desk.FindAsync(Scope, version, context.RequestAborted)
            : Task.FromResult(ApiAnswer.Bad("version must be a number."))));
        group.MapGet("/policy/versions", static (HttpContext context, PlatformAttestation api) => api.AdministerAsync(context, (desk, _) => desk.ListAsync(Scope, context.RequestAborted)));
        group.MapPost("/policy", static (HttpContext context, PlatformAttestation api) => api.AdministerAsync(context, (desk, by) => desk.StageAsync(Scope, context.Request, by)));
        group.MapPost("/policy/activate", static (HttpContext context, PlatformAttestation api) => api.AdministerAsync(context, (desk, by) => desk.ActivateAsync(Scope, context.Request, by)));
        group.MapPost("/policy/dry-run", static (HttpContext context, PlatformAttestation api) => api.AdministerAsync(context, (desk, _) => desk.TryAsync(Scope, context.Request, isAdministrator: true)));
    }

    private async Task VerifyAsync(HttpContext context)
    {
        if (await CallerAsync(context) is not { } caller)
        {
            return;
        }

        var isAdministrator = await IsAdministratorAsync(caller, context.RequestAborted);
        if (context.Request.Query["domain_id"] is not [{ } text])
        {
            await (isAdministrator ? WriteAsync(context, desk.Verify(null, isAdministrator)) : ManagementError.Of(403).WriteAsync(context, StatusCodes.Status403Forbidden));
            return;
        }

        if (!Guid.TryParseExact(text, "D", out var domain))
        {
            await WriteAsync(context, ApiAnswer.Bad("domain_id must be a UUID."));
            return;
        }

        var mayAsk = isAdministrator || await standings.FindAsync(caller, domain, context.RequestAborted) == Standing.Member;
        await (mayAsk ? WriteAsync(context, desk.Verify(domain.ToString(), isAdministrator)) : ManagementError.Of(403).WriteAsync(context, StatusCodes.Status403Forbidden));
    }

    private async Task AdministerAsync(HttpContext context, Func<PolicyDesk, string, Task<ApiAnswer>> answer)
    {
        if (await CallerAsync(context) is not { } caller)
        {
            return;
        }

        if (!await IsAdministratorAsync(caller, context.RequestAborted))
        {
            await ManagementError.Of(403).WriteAsync(context, StatusCodes.Status403Forbidden);
            return;
        }

        await WriteAsync(context, await answer(desk, caller.UserId.ToString()));
    }

    private async Task<ApiAnswer> EvidenceAsync(HttpContext context) =>
        context.Request.Query["sha256"] is not [{ Length: 64 } sha256] ? ApiAnswer.Bad("Give sha256: 64 hexadecimal digits.")
        : await journal.FindEvidenceAsync(sha256.ToLowerInvariant(), context.RequestAborted) is { } evidence ? ApiAnswer.Ok(System.Text.Json.JsonElement.Parse(evidence))
        : ApiAnswer.NotFound("There is no such evidence.");

    private async Task<Caller?> CallerAsync(HttpContext context)
    {
        if (BearerToken.Read(context.Request.Headers) is { Length: > 0 } token && await tokens.VerifyAsync(token, context.RequestAborted) is TokenVerdict.Valid { Caller: var caller })
        {
            return caller;
        }

        context.Response.Headers.WWWAuthenticate = "Bearer";
        await ManagementError.Of(401).WriteAsync(context, StatusCodes.Status401Unauthorized);
        return null;
    }

    /// <summary>Asked of Identity each time: it is asked for rarely, and changes of policies are not to be decided by a cache. A personal access token is no administrator.</summary>
    private async Task<bool> IsAdministratorAsync(Caller caller, CancellationToken ct)
    {
        if (caller.PatId is not null)
        {
            return false;
        }

        var (status, profile) = await identity.AskAsync("users/profile", caller.Token, ct);
        return status == HttpStatusCode.OK && profile.TryGetProperty("role", out var role) && role.ValueEquals("admin")
            && profile.TryGetProperty("id", out var id) && id.ValueEquals(caller.UserId.ToString());
    }

    private static (bool IsGood, int? Version) VersionOf(HttpContext context) => context.Request.Query["version"] switch
    {
        [] => (true, null),
        [{ } text] when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) => (true, version),
        _ => (false, null),
    };

    private static async Task WriteAsync(HttpContext context, ApiAnswer answer)
    {
        if (answer.Code is { } code)
        {
            await new ManagementError(code, answer.Message!).WriteAsync(context, answer.Status);
            return;
        }

        context.Response.StatusCode = answer.Status;
        if (answer.Body is { } body)
        {
            await context.Response.WriteAsJsonAsync(body, VerdictJournal.Format, context.RequestAborted);
        }
    }
}
