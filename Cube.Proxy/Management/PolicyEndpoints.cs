using System.Globalization;

namespace Cube.Proxy.Management;

/// <summary>The endpoints for the versions of a policy. They are mapped for the platform, for domains and for routes.</summary>
internal static class PolicyEndpoints
{
    /// <param name="Id">The suffix of the <c>operationId</c>.</param>
    /// <param name="Method">The HTTP method.</param>
    /// <param name="Path">The path below the platform, the domain or the route.</param>
    /// <param name="Text">The description.</param>
    /// <param name="Status">The status code of a success.</param>
    /// <param name="Response">The type of the response body; null for none.</param>
    /// <param name="Body">The type of the request body; null for none.</param>
    /// <param name="Handler">Its arguments are the scope of the policy, the request, and the id of the user.</param>
    public sealed record PolicyEndpoint(
        string Id, string Method, string Path, string Text, int Status, Type? Response, Type? Body, Func<PolicyService, string, HttpRequest, string, Task<ApiResult>> Handler);

    public static PolicyEndpoint Get { get; } = new(
        "policy.get", "GET", "/attestation/policy", "Returns the active policy, or the version in the query parameter version.", 200, typeof(PolicyService.PolicyView), null,
        static (policies, scope, request, _) => FindAsync(policies, scope, request));

    public static PolicyEndpoint Versions { get; } = new(
        "policy.versions", "GET", "/attestation/policy/versions", "Returns all versions, the newest first.", 200, typeof(PolicyService.PolicyList), null,
        static (policies, scope, request, _) => policies.ListAsync(scope, request.HttpContext.RequestAborted));

    public static PolicyEndpoint Stage { get; } = new(
        "policy.stage", "POST", "/attestation/policy", "Stores a new, inactive version. Converts the policy format of Cube's earlier Go implementation.", 201, typeof(PolicyService.PolicyView), typeof(object),
        static (policies, scope, request, user) => policies.StageAsync(scope, request, user));

    public static PolicyEndpoint Activate { get; } = new(
        "policy.activate", "POST", "/attestation/policy/activate", "Activates a version that is newer than the active one or was active before.", 200, typeof(PolicyService.PolicyView), typeof(object),
        static (policies, scope, request, user) => policies.ActivateAsync(scope, request, user));

    public static PolicyEndpoint Delete { get; } = new(
        "policy.delete", "DELETE", "/attestation/policy", "Deactivates the policy. Only the platform policy applies then.", 204, null, null,
        static (policies, scope, request, _) => policies.DeactivateAsync(scope, request.HttpContext.RequestAborted));

    /// <param name="showAddresses">True if the result contains the addresses of machines.</param>
    public static PolicyEndpoint DryRun(bool showAddresses) => new(
        "policy.dry-run", "POST", "/attestation/policy/dry-run", "Appraises the Evidence of all current connections against a policy or a stored version. Changes nothing.",
        200, typeof(PolicyService.DryRunResult), typeof(object),
        (policies, scope, request, _) => policies.DryRunAsync(scope, request, showAddresses));

    private static Task<ApiResult> FindAsync(PolicyService policies, string scope, HttpRequest request) => request.Query["version"] switch
    {
        [] => policies.FindAsync(scope, null, request.HttpContext.RequestAborted),
        [{ } text] when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) => policies.FindAsync(scope, version, request.HttpContext.RequestAborted),
        _ => Task.FromResult(ApiResult.BadRequest("version must be an integer.")),
    };
}
