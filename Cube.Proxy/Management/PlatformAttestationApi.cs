using System.Text;
using Cube.Proxy.Attestation.Verdicts;
using Cube.Proxy.Authentication;
using Cube.Proxy.Authorization;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.OpenApi;

namespace Cube.Proxy.Management;

/// <summary>
/// The attestation of the platform: its policy, which applies to every domain, the verdicts on all machines, and the vendors' collateral. For administrators of the platform; members of a domain may read
/// the verdicts of the domain.
/// </summary>
internal sealed class PlatformAttestationApi(PolicyService policies, VerdictStore journal, PlatformAdministrators administrators, MembershipClient memberships, Permissions permissions)
{
    private const string ReadAction = "llm_read";

    public async Task<ApiResult> VerifyAsync(HttpContext context)
    {
        var (caller, ct) = (Caller.Of(context), context.RequestAborted);
        var isAdministrator = await administrators.ContainsAsync(caller, ct);
        if (context.Request.Query["domain_id"] is not [{ } text])
        {
            return isAdministrator ? policies.VerifyPlatform() : ApiResult.Forbidden;
        }

        if (!Guid.TryParseExact(text, "D", out var domain))
        {
            return ApiResult.Bad("domain_id must be a UUID.");
        }

        return isAdministrator || await MayReadAsync(new DomainMember(domain, caller), ct) ? await policies.VerifyAsync(domain.ToString(), isAdministrator, ct) : ApiResult.Forbidden;
    }

    public async Task<ApiResult> FindEvidenceAsync(HttpContext context) =>
        context.Request.Query["sha256"] is not [{ Length: 64 } sha256] ? ApiResult.Bad("sha256 must have 64 hexadecimal digits.")
        : await journal.FindEvidenceAsync(sha256.ToLowerInvariant(), context.RequestAborted) is { } evidence && PolicyService.Parse(Encoding.UTF8.GetString(evidence)) is { } json ? ApiResult.Ok(json)
        : ApiResult.NotFound("There is no such evidence.");

    /// <summary>As the domain's own <c>/attestation/verify</c> requires it.</summary>
    private async Task<bool> MayReadAsync(DomainMember member, CancellationToken ct) =>
        await memberships.FindAsync(member.Caller, member.DomainId, ct) == MembershipStatus.Member
        && await permissions.FindAsync(member, ReadAction, ct) is { IsAllowed: true, TokenHasAllModels: true };
}

internal static class PlatformAttestationEndpoints
{
    public static void MapPlatformAttestation(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/attestation/verify", static (HttpContext context, PlatformAttestationApi api) => api.VerifyAsync(context))
            .RequireAuthenticatedCaller()
            .Describe(
                new("platform.attestation.verify", "The verdict on each machine. Without the query parameter domain_id for administrators of the platform; with it also for members of the domain whose role allows llm_read.") { Query = ["domain_id"] },
                response: typeof(PolicyService.BackendList));

        var group = endpoints.MapGroup("").RequirePlatformAdministrator();
        group.MapGet("/attestation/evidence", static (HttpContext context, PlatformAttestationApi api) => api.FindEvidenceAsync(context))
            .Describe(new("platform.attestation.evidence", "Appraised evidence by the SHA-256 that its verdict names, as cube-attest reads it.") { Query = ["sha256"] }, response: typeof(object));
        group.MapGet("/attestation/collateral", static (CollateralImporter collateral) => collateral.List())
            .Describe(new("platform.attestation.collateral.get", "The current signed documents of the vendors, as a file that another Cube imports."), response: typeof(CollateralImporter.CollateralView));
        group.MapPost("/attestation/collateral", static (HttpContext context, CollateralImporter collateral) => collateral.ImportAsync(context.Request, Caller.Of(context).UserId.ToString()))
            .Describe(
                new("platform.attestation.collateral.import", "Imports documents of the vendors, all or none, and answers with all current documents.") { Body = typeof(CollateralImporter.CollateralView) },
                response: typeof(CollateralImporter.CollateralView));
        foreach (var endpoint in (PolicyEndpoints.PolicyEndpoint[])[PolicyEndpoints.Get, PolicyEndpoints.Versions, PolicyEndpoints.Stage, PolicyEndpoints.Activate, PolicyEndpoints.DryRun(showAddresses: true)])
        {
            group.MapMethods(endpoint.Path, [endpoint.Method], (HttpContext context, PolicyService policies) => endpoint.Handler(policies, PolicyScope.Platform, context.Request, Caller.Of(context).UserId.ToString()))
                .Describe(new($"platform.attestation.{endpoint.Id}", endpoint.Text) { Body = endpoint.Body }, endpoint.Status, endpoint.Response);
        }
    }
}
