using System.Globalization;
using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Attestation.Verdicts;
using Cube.Proxy.Management;
using Cube.Proxy.Authorization;
using Cube.Proxy.Routing;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Attestation.Api;

/// <summary>
/// The platform's own attestation paths: its floor, which no domain can go below, and what every machine proved. For administrators of
/// the platform; <c>/attestation/verify?domain_id=</c> for members of that domain with <c>llm_read</c> too.
/// </summary>
internal sealed class PlatformAttestation(PolicyDesk desk, CollateralDesk collateral, VerdictJournal journal, PlatformAdministrators administrators, MembershipClient memberships, Permissions permissions)
{
    private const string Scope = PolicySnapshot.Platform;

    /// <summary>The same below a tenant: what is asked here with a domain needs the same role and scope.</summary>
    private static InferenceEndpoint Below { get; } = InferenceEndpoints.All.Single(static endpoint => endpoint.Name == "attestation.verify");

    private CollateralDesk Collateral => collateral;

    public static void Map(WebApplication app)
    {
        var group = app.MapGroup("/attestation");
        group.MapGet("/verify", static (HttpContext context, PlatformAttestation api) => api.VerifyAsync(context));
        group.MapGet("/evidence", static (HttpContext context, PlatformAttestation api) => api.AdministerAsync(context, (_, _) => api.EvidenceAsync(context)));
        group.MapGet("/collateral", static (HttpContext context, PlatformAttestation api) => api.AdministerAsync(context, (_, _) => Task.FromResult(api.Collateral.List())));
        group.MapPost("/collateral", static (HttpContext context, PlatformAttestation api) => api.AdministerAsync(context, (_, by) => api.Collateral.ImportAsync(context.Request, by)));
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
        if (await administrators.CallerAsync(context) is not { } caller)
        {
            return;
        }

        var isAdministrator = await administrators.IsOneAsync(caller, context.RequestAborted);
        if (context.Request.Query["domain_id"] is not [{ } text])
        {
            await (isAdministrator ? PlatformAdministrators.WriteAsync(context, await desk.VerifyAsync(null, isAdministrator, context.RequestAborted)) : ManagementError.Of(403).WriteAsync(context, StatusCodes.Status403Forbidden));
            return;
        }

        if (!Guid.TryParseExact(text, "D", out var domain))
        {
            await PlatformAdministrators.WriteAsync(context, ApiAnswer.Bad("domain_id must be a UUID."));
            return;
        }

        var mayAsk = isAdministrator
            || (await memberships.FindAsync(caller, domain, context.RequestAborted) == MembershipStatus.Member
                && (await permissions.FindAsync(caller, domain, Below.Action, context.RequestAborted)).Opens(Below));
        await (mayAsk ? PlatformAdministrators.WriteAsync(context, await desk.VerifyAsync(domain.ToString(), isAdministrator, context.RequestAborted)) : ManagementError.Of(403).WriteAsync(context, StatusCodes.Status403Forbidden));
    }

    private Task AdministerAsync(HttpContext context, Func<PolicyDesk, string, Task<ApiAnswer>> answer) => administrators.AnswerAsync(context, by => answer(desk, by));

    private async Task<ApiAnswer> EvidenceAsync(HttpContext context) =>
        context.Request.Query["sha256"] is not [{ Length: 64 } sha256] ? ApiAnswer.Bad("Give sha256: 64 hexadecimal digits.")
        : await journal.FindEvidenceAsync(sha256.ToLowerInvariant(), context.RequestAborted) is { } evidence && PolicyDesk.Shown(System.Text.Encoding.UTF8.GetString(evidence)) is { } json ? ApiAnswer.Ok(json)
        : ApiAnswer.NotFound("There is no such evidence.");

    internal static (bool IsGood, int? Version) VersionOf(HttpContext context) => context.Request.Query["version"] switch
    {
        [] => (true, null),
        [{ } text] when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) => (true, version),
        _ => (false, null),
    };
}
