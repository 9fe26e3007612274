using System.Globalization;

namespace Cube.Proxy.Management;

/// <summary>The endpoints of a policy's versions, which the platform, every domain and every route have.</summary>
internal static class PolicyEndpoints
{
    /// <param name="Id">The end of the <c>operationId</c>.</param>
    /// <param name="Method">The HTTP method.</param>
    /// <param name="Path">Below <c>/attestation</c>.</param>
    /// <param name="Text">The description.</param>
    /// <param name="Status">Of success.</param>
    /// <param name="Response">The type of its body.</param>
    /// <param name="Body">The type of the request's body.</param>
    /// <param name="Handler">Takes the scope of the policy, the request, and the id of the user.</param>
    public sealed record PolicyEndpoint(
        string Id, string Method, string Path, string Text, int Status, Type? Response, Type? Body, Func<PolicyService, string, HttpRequest, string, Task<ApiResult>> Handler);

    public static PolicyEndpoint Get { get; } = new(
        "policy.get", "GET", "/attestation/policy", "The active policy; with the query parameter version, that version.", 200, typeof(PolicyService.PolicyView), null,
        static (policies, scope, request, _) => FindAsync(policies, scope, request));

    public static PolicyEndpoint Versions { get; } = new(
        "policy.versions", "GET", "/attestation/policy/versions", "All versions, the newest first.", 200, typeof(PolicyService.PolicyList), null,
        static (policies, scope, request, _) => policies.ListAsync(scope, request.HttpContext.RequestAborted));

    public static PolicyEndpoint Stage { get; } = new(
        "policy.stage", "POST", "/attestation/policy", "Stores a new version, which is not active yet. The policy files of Cube's earlier implementation are converted.", 201, typeof(PolicyService.PolicyView), typeof(object),
        static (policies, scope, request, user) => policies.StageAsync(scope, request, user));

    public static PolicyEndpoint Activate { get; } = new(
        "policy.activate", "POST", "/attestation/policy/activate", "Activates a version: a newer one, or one that was active before.", 200, typeof(PolicyService.PolicyView), typeof(object),
        static (policies, scope, request, user) => policies.ActivateAsync(scope, request, user));

    public static PolicyEndpoint Delete { get; } = new(
        "policy.delete", "DELETE", "/attestation/policy", "Deactivates the policy: the platform's policy applies alone.", 204, null, null,
        static (policies, scope, request, _) => policies.DeactivateAsync(scope, request.HttpContext.RequestAborted));

    /// <param name="showAddresses">Whether the result names machines by their addresses.</param>
    public static PolicyEndpoint DryRun(bool showAddresses) => new(
        "policy.dry-run", "POST", "/attestation/policy/dry-run", "Appraises the evidence of all current connections against a policy or a stored version, and changes nothing.", 200, typeof(PolicyService.DryRunResult), typeof(object),
        (policies, scope, request, _) => policies.TryAsync(scope, request, showAddresses));

    private static Task<ApiResult> FindAsync(PolicyService policies, string scope, HttpRequest request) => request.Query["version"] switch
    {
        [] => policies.FindAsync(scope, null, request.HttpContext.RequestAborted),
        [{ } text] when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) => policies.FindAsync(scope, version, request.HttpContext.RequestAborted),
        _ => Task.FromResult(ApiResult.Bad("version must be a number.")),
    };
}
