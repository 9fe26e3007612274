using System.Text;
using Cube.Proxy.Attestation.Verdicts;
using Cube.Proxy.Authentication;
using Cube.Proxy.Authorization;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.OpenApi;

namespace Cube.Proxy.Management;

/// <summary>
/// The verdicts on all machines and their Evidence, for platform administrators. Members of a domain may read the verdicts on the machines of the domain.
/// </summary>
internal sealed class PlatformAttestationApi(PolicyService policies, VerdictStore verdicts, PlatformAdministrators administrators, MembershipClient memberships, Permissions permissions)
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
            return ApiResult.BadRequest("domain_id must be a UUID.");
        }

        return isAdministrator || await MayReadAsync(new DomainMember(domain, caller), ct) ? await policies.VerifyAsync(domain.ToString(), isAdministrator, ct) : ApiResult.Forbidden;
    }

    public async Task<ApiResult> FindEvidenceAsync(HttpContext context) =>
        context.Request.Query["sha256"] is not [{ Length: 64 } sha256] ? ApiResult.BadRequest("sha256 must be 64 hexadecimal digits.")
        : await verdicts.FindEvidenceAsync(sha256.ToLowerInvariant(), context.RequestAborted) is { } evidence && PolicyService.Parse(Encoding.UTF8.GetString(evidence)) is { } json ? ApiResult.Ok(json)
        : ApiResult.NotFound("The proxy has no Evidence with this SHA-256.");

    /// <summary>Requires the same permission as <c>/{domainID}/attestation/verify</c>.</summary>
    private async Task<bool> MayReadAsync(DomainMember member, CancellationToken ct) =>
        (await memberships.FindAsync(member.Caller, member.DomainId, ct)).Status == MembershipStatus.Member
        && await permissions.FindAsync(member, ReadAction, ct) is { IsAllowed: true, TokenHasAllModels: true };
}

internal static class PlatformAttestationEndpoints
{
    public static void MapPlatformAttestation(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/attestation/verify", static (HttpContext context, PlatformAttestationApi api) => api.VerifyAsync(context))
            .RequireAuthenticatedCaller()
            .Describe(
                new("platform.attestation.verify", "Returns the verdict on each machine. Without the query parameter domain_id for platform administrators only; with it also for members of the domain whose role allows llm_read.") { Query = ["domain_id"] },
                response: typeof(PolicyService.BackendList));

        var group = endpoints.MapGroup("").RequirePlatformAdministrator();
        group.MapGet("/attestation/evidence", static (HttpContext context, PlatformAttestationApi api) => api.FindEvidenceAsync(context))
            .Describe(new("platform.attestation.evidence", "Returns appraised Evidence by the SHA-256 in its verdict, in the format that cube-attest reads.") { Query = ["sha256"] }, response: typeof(object));
        group.MapGet("/attestation/collateral", static (CollateralImporter collateral) => collateral.List())
            .Describe(new("platform.attestation.collateral.get", "Exports the valid signed documents of the vendors, in the format that another Cube imports."), response: typeof(CollateralImporter.CollateralView));
        group.MapPost("/attestation/collateral", static (HttpContext context, CollateralImporter collateral) => collateral.ImportAsync(context.Request, Caller.Of(context).UserId.ToString()))
            .Describe(
                new("platform.attestation.collateral.import", "Imports documents of the vendors, all or none, and returns all valid documents.") { Body = typeof(CollateralImporter.CollateralView) },
                response: typeof(CollateralImporter.CollateralView));
        foreach (var endpoint in (PolicyEndpoints.PolicyEndpoint[])[PolicyEndpoints.Get, PolicyEndpoints.Versions, PolicyEndpoints.Stage, PolicyEndpoints.Activate, PolicyEndpoints.DryRun(showAddresses: true)])
        {
            group.MapMethods(endpoint.Path, [endpoint.Method], (HttpContext context, PolicyService policies) => endpoint.Handler(policies, PolicyScope.Platform, context.Request, Caller.Of(context).UserId.ToString()))
                .Describe(new($"platform.attestation.{endpoint.Id}", endpoint.Text) { Body = endpoint.Body }, endpoint.Status, endpoint.Response);
        }
    }
}
