using System.Globalization;
using System.Text;
using System.Text.Json;
using Cube.Attestation.Policy;
using Cube.Proxy.Configuration;
using Cube.Proxy.Authentication;
using Cube.Proxy.Authorization;
using Cube.Proxy.Configuration.Policies;
using Cube.Proxy.Configuration.Routes;
using Cube.Proxy.OpenApi;

namespace Cube.Proxy.Management;

/// <summary>
/// The API for routes, for platform administrators. A change is active in this proxy when the response arrives, and in the other proxies within a second. The attestation policy of a route has
/// versions, like the platform policy. Creating or deleting a route creates or deactivates its policy in the same transaction.
/// </summary>
internal sealed partial class RouteApi(RouteStore store, ProxyConfigurationProvider configuration, PolicyService policies, ILogger<RouteApi> logger)
{
    private const int MaxBody = PolicyJson.MaxBytes + (64 << 10);
    private const int MaxLimit = 100;

    /// <summary>The API has three paths, for compatibility with Cube's earlier Go implementation, its documentation and its reverse proxy.</summary>
    public static IReadOnlyList<string> Bases { get; } = ["/api/routes", "/api/v1/routes", "/proxy/api/routes"];

    internal sealed record RouteList(long Total, int Offset, int Limit, IReadOnlyList<RouteView> Routes);

    internal sealed record DeletedView(string Message);

    internal sealed record RouteView(
        Guid Id, string Name, string TargetUrl, IReadOnlyList<MatcherDefinition> Matchers, int Priority, bool DefaultRule, string StripPrefix, bool Enabled, string EventType, bool Atls,
        JsonElement? Policy, int? PolicyVersion, DateTime CreatedAt, string CreatedBy, DateTime UpdatedAt, string UpdatedBy, string? Problem);

    public async Task<ApiResult> ListAsync(HttpContext context)
    {
        if (!TryReadNumber(context, "offset", 0, 0, int.MaxValue, out var offset) || !TryReadNumber(context, "limit", 10, 1, MaxLimit, out var limit))
        {
            return ApiResult.BadRequest($"offset must be at least 0, and limit must be from 1 to {MaxLimit}.");
        }

        var (total, routes) = await store.ListAsync(offset, limit, context.RequestAborted);
        return ApiResult.Ok(new RouteList(total, offset, limit, [.. routes.Select(View)]));
    }

    public async Task<ApiResult> FindAsync(HttpContext context, string name) =>
        await store.FindAsync(name, context.RequestAborted) is { } route ? ApiResult.Ok(View(route)) : NotFound;

    public Task<ApiResult> CreateAsync(HttpContext context) => WithBodyAsync(context, null, async (route, policy) =>
    {
        var user = UserOf(context);
        var result = await store.CreateAsync(route, policy, user, context.RequestAborted);
        if (await CompleteAsync(context, result, route.Name, user) is { } error)
        {
            return error;
        }

        context.Response.Headers.Location = $"{Bases[0]}/{route.Name}";
        return await FindAsync(context, route.Name) is { Body: { } body } ? ApiResult.Created(body) : NotFound;
    });

    public Task<ApiResult> UpdateAsync(HttpContext context, string name) => WithBodyAsync(context, name, async (route, policy) =>
    {
        var user = UserOf(context);
        var result = await store.UpdateAsync(name, route, policy, user, context.RequestAborted);
        return await CompleteAsync(context, result, route.Name, user) ?? await FindAsync(context, route.Name);
    });

    public async Task<ApiResult> DeleteAsync(HttpContext context, string name) =>
        await CompleteAsync(context, await store.DeleteAsync(name, UserOf(context), context.RequestAborted), name, UserOf(context))
        ?? ApiResult.Ok(new DeletedView("route deleted successfully"));

    /// <returns>The error; null if the change succeeded and this proxy uses it.</returns>
    private async Task<ApiResult?> CompleteAsync(HttpContext context, RouteChangeResult result, string name, string user)
    {
        switch (result)
        {
            case RouteChangeResult.NotFound:
                return NotFound;
            case RouteChangeResult.NameTaken:
                return ApiResult.Conflict("A route with this name already exists.");
            case RouteChangeResult.DefaultTaken:
                return ApiResult.Conflict("A default route already exists. Only one is possible.");
        }

        // Respond when this proxy uses the change.
        await configuration.ReadAsync(context.RequestAborted);
        RouteChanged(context.Request.Method, name, user);
        return null;
    }

    /// <param name="name">The name from the path; null if the path has none.</param>
    /// <param name="change">Runs if the body is a valid route.</param>
    private async Task<ApiResult> WithBodyAsync(HttpContext context, string? name, Func<RouteDefinition, PolicyChange, Task<ApiResult>> change)
    {
        if (!context.Request.HasJsonContentType())
        {
            return new ApiResult(StatusCodes.Status415UnsupportedMediaType, null, "unsupported_media_type", "The body must be application/json.");
        }

        if (await ApiBody.ReadAsync(context.Request, MaxBody) is not { } body)
        {
            return new ApiResult(StatusCodes.Status413PayloadTooLarge, null, "payload_too_large", $"The body is larger than {MaxBody >> 10} KiB.");
        }

        RouteDefinition route;
        PolicyChange policy;
        try
        {
            (route, var json) = RouteJson.Read(body, name);
            policy = json.ValueKind switch
            {
                JsonValueKind.Undefined => default,
                JsonValueKind.Null => new PolicyChange(true, null),
                _ => new PolicyChange(true, policies.Normalize(Encoding.UTF8.GetBytes(json.GetRawText()))),
            };
        }
        catch (Exception exception) when (exception is RouteException or PolicyException)
        {
            return ApiResult.BadRequest(exception is PolicyException ? $"policy: {exception.Message}" : exception.Message);
        }

        return await change(route, policy);
    }

    /// <summary>Handles a policy endpoint. The scope contains the id of the route, so that a rename does not affect its policies.</summary>
    public async Task<ApiResult> WithPolicyAsync(HttpContext context, string name, PolicyEndpoints.PolicyEndpoint endpoint) =>
        await store.FindAsync(name, context.RequestAborted) is { } route
            ? await endpoint.Handler(policies, PolicyScope.OfRoute(route.Id), context.Request, UserOf(context))
            : NotFound;

    private static string UserOf(HttpContext context) => Caller.Of(context).UserId.ToString();

    private static ApiResult NotFound { get; } = ApiResult.NotFound("route not found");

    private static RouteView View(StoredRoute route)
    {
        // The view of an unreadable route has only its name and the problem, so that an administrator can replace or delete it.
        var definition = route.Definition ?? new RouteDefinition { Name = route.Name, TargetUrl = "" };
        return new RouteView(
            route.Id, route.Name, definition.TargetUrl, definition.Matchers, definition.Priority, definition.DefaultRule, definition.StripPrefix ?? "", definition.Enabled, definition.EventType, definition.Atls,
            route.Policy is { } policy ? PolicyService.Parse(policy) : null, route.PolicyVersion, route.CreatedAt, route.CreatedBy, route.UpdatedAt, route.UpdatedBy, route.Problem);
    }

    private static bool TryReadNumber(HttpContext context, string name, int defaultValue, int min, int max, out int number)
    {
        number = defaultValue;
        return context.Request.Query[name] is not [{ } text, ..]
            || (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= min && number <= max);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "User {User} changed route {Name} with {Method}.")]
    private partial void RouteChanged(string method, string name, string user);
}

internal static class RouteEndpoints
{
    private static readonly PolicyEndpoints.PolicyEndpoint[] _policies =
        [PolicyEndpoints.Get, PolicyEndpoints.Versions, PolicyEndpoints.Stage, PolicyEndpoints.Activate, PolicyEndpoints.DryRun(showAddresses: true), PolicyEndpoints.Delete];

    public static void MapRoutes(this IEndpointRouteBuilder endpoints)
    {
        foreach (var path in RouteApi.Bases)
        {
            var group = endpoints.MapGroup(path).RequirePlatformAdministrator();
            if (path != RouteApi.Bases[0])
            {
                // The OpenAPI document describes the API only under the first path.
                group.ExcludeFromDescription();
            }

            group.MapGet("/", static (HttpContext context, RouteApi routes) => routes.ListAsync(context))
                .Describe(new("routes.list", "Returns the routes in the order in which they are matched.") { Query = ["offset", "limit"] }, response: typeof(RouteApi.RouteList));
            group.MapPost("/", static (HttpContext context, RouteApi routes) => routes.CreateAsync(context))
                .Describe(
                    new("routes.create", "Creates a route, and its policy if the request has one. Both are active when the response arrives.") { Body = typeof(RouteDefinition) },
                    StatusCodes.Status201Created, typeof(RouteApi.RouteView));
            group.MapGet("/{name}", static (HttpContext context, string name, RouteApi routes) => routes.FindAsync(context, name))
                .Describe(new("routes.get", "Returns a route."), response: typeof(RouteApi.RouteView));
            group.MapPut("/{name}", static (HttpContext context, string name, RouteApi routes) => routes.UpdateAsync(context, name))
                .Describe(new("routes.update", "Replaces a route. The name in the request body may differ: it renames the route.") { Body = typeof(RouteDefinition) }, response: typeof(RouteApi.RouteView));
            group.MapDelete("/{name}", static (HttpContext context, string name, RouteApi routes) => routes.DeleteAsync(context, name))
                .Describe(new("routes.delete", "Deletes a route."), response: typeof(RouteApi.DeletedView));
            foreach (var policy in _policies)
            {
                group.MapMethods($"/{{name}}{policy.Path}", [policy.Method], (HttpContext context, string name, RouteApi routes) => routes.WithPolicyAsync(context, name, policy))
                    .Describe(new($"route.attestation.{policy.Id}", policy.Text) { Body = policy.Body }, policy.Status, policy.Response);
            }
        }
    }
}
