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
/// Routes, for administrators of the platform. What a change answers is in force in this proxy, and within a second in the others. A
/// route's attestation policy has versions as the platform's has; it comes and goes with the route in one transaction.
/// </summary>
internal sealed partial class RouteApi(RouteStore store, ProxyConfigurationProvider configuration, PolicyService policies, ILogger<RouteApi> logger)
{
    private const int MaxBody = PolicyJson.MaxBytes + (64 << 10);
    private const int MaxListed = 100;

    /// <summary>The API has three addresses: Cube's earlier implementation, its documentation and its edge used different ones.</summary>
    public static IReadOnlyList<string> Bases { get; } = ["/api/routes", "/api/v1/routes", "/proxy/api/routes"];

    internal sealed record RouteList(long Total, int Offset, int Limit, IReadOnlyList<RouteView> Routes);

    internal sealed record DeletedView(string Message);

    internal sealed record RouteView(
        Guid Id, string Name, string TargetUrl, IReadOnlyList<MatcherDefinition> Matchers, int Priority, bool DefaultRule, string StripPrefix, bool Enabled, string EventType, bool Atls,
        JsonElement? Policy, int? PolicyVersion, DateTime CreatedAt, string CreatedBy, DateTime UpdatedAt, string UpdatedBy, string? Problem);

    public async Task<ApiResult> ListAsync(HttpContext context)
    {
        if (!TryReadNumber(context, "offset", 0, 0, int.MaxValue, out var offset) || !TryReadNumber(context, "limit", 10, 1, MaxListed, out var limit))
        {
            return ApiResult.Bad($"offset must be a number from 0 on, limit one from 1 to {MaxListed}.");
        }

        var (total, routes) = await store.ListAsync(offset, limit, context.RequestAborted);
        return ApiResult.Ok(new RouteList(total, offset, limit, [.. routes.Select(View)]));
    }

    public async Task<ApiResult> FindAsync(HttpContext context, string name) =>
        await store.FindAsync(name, context.RequestAborted) is { } route ? ApiResult.Ok(View(route)) : NotFound;

    public async Task<ApiResult> CreateAsync(HttpContext context)
    {
        var by = UserOf(context);
        var (answer, route, policy) = await ReadAsync(context, null);
        if (answer is not null)
        {
            return answer;
        }

        var change = await store.CreateAsync(route!, policy, by, context.RequestAborted);
        if (await SettleAsync(context, change, route!.Name, by) is { } refusal)
        {
            return refusal;
        }

        context.Response.Headers.Location = $"{Bases[0]}/{route.Name}";
        return await FindAsync(context, route.Name) is { Body: { } body } ? ApiResult.Created(body) : NotFound;
    }

    public async Task<ApiResult> UpdateAsync(HttpContext context, string name)
    {
        var by = UserOf(context);
        var (answer, route, policy) = await ReadAsync(context, name);
        if (answer is not null)
        {
            return answer;
        }

        var change = await store.UpdateAsync(name, route!, policy, by, context.RequestAborted);
        return await SettleAsync(context, change, route!.Name, by) ?? await FindAsync(context, route.Name);
    }

    public async Task<ApiResult> DeleteAsync(HttpContext context, string name) =>
        await SettleAsync(context, await store.DeleteAsync(name, UserOf(context), context.RequestAborted), name, UserOf(context)) ?? ApiResult.Ok(new DeletedView("route deleted successfully"));

    private async Task<ApiResult?> SettleAsync(HttpContext context, RouteChangeResult change, string name, string by)
    {
        switch (change)
        {
            case RouteChangeResult.NotFound:
                return NotFound;
            case RouteChangeResult.NameTaken:
                return ApiResult.Conflict("There is a route of this name already.");
            case RouteChangeResult.DefaultTaken:
                return ApiResult.Conflict("There is a default route already; only one can be.");
        }

        // The response follows once this proxy uses the change.
        await configuration.ReadAsync(context.RequestAborted);
        Changed(context.Request.Method, name, by);
        return null;
    }

    private async Task<(ApiResult? Answer, RouteDefinition? Route, PolicyChange Policy)> ReadAsync(HttpContext context, string? name)
    {
        if (!context.Request.HasJsonContentType())
        {
            return (new ApiResult(415, null, "unsupported_media_type", "The body must be application/json."), null, default);
        }

        if (await ApiBody.ReadAsync(context.Request, MaxBody) is not { } body)
        {
            return (new ApiResult(413, null, "payload_too_large", "The route is too large."), null, default);
        }

        try
        {
            var (route, policy) = RouteJson.Read(body, name);
            return (null, route, policy.ValueKind switch
            {
                JsonValueKind.Undefined => default,
                JsonValueKind.Null => new PolicyChange(true, null),
                _ => new PolicyChange(true, policies.Normalize(Encoding.UTF8.GetBytes(policy.GetRawText()))),
            });
        }
        catch (Exception exception) when (exception is RouteException or PolicyException)
        {
            return (ApiResult.Bad(exception is PolicyException ? $"policy: {exception.Message}" : exception.Message), null, default);
        }
    }

    /// <summary>Policies belong to a route's id, so that a new name changes nothing.</summary>
    public async Task<ApiResult> WithPolicyAsync(HttpContext context, string name, PolicyEndpoints.PolicyEndpoint endpoint) =>
        await store.FindAsync(name, context.RequestAborted) is { } route
            ? await endpoint.Handler(policies, PolicyScope.OfRoute(route.Id), context.Request, UserOf(context))
            : NotFound;

    private static string UserOf(HttpContext context) => Caller.Of(context).UserId.ToString();

    private static ApiResult NotFound { get; } = ApiResult.NotFound("route not found");

    private static RouteView View(StoredRoute route)
    {
        // One that cannot be loaded is shown by its name alone, with the reason, so that it can be replaced or removed.
        var said = route.Definition ?? new RouteDefinition { Name = route.Name, TargetUrl = "" };
        return new RouteView(
            route.Id, route.Name, said.TargetUrl, said.Matchers, said.Priority, said.DefaultRule, said.StripPrefix ?? "", said.Enabled, said.EventType, said.Atls,
            route.Policy is { } policy ? PolicyService.Parse(policy) : null, route.PolicyVersion, route.CreatedAt, route.CreatedBy, route.UpdatedAt, route.UpdatedBy, route.Problem);
    }

    private static bool TryReadNumber(HttpContext context, string name, int usual, int least, int most, out int number)
    {
        number = usual;
        return context.Request.Query[name] is not [{ } text, ..]
            || (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= least && number <= most);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Route {Name}: {Method} by user {User}")]
    private partial void Changed(string method, string name, string user);
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
                // The document describes the API once.
                group.ExcludeFromDescription();
            }

            group.MapGet("/", static (HttpContext context, RouteApi routes) => routes.ListAsync(context))
                .Describe(new("routes.list", "Routes in the order in which they are matched.") { Query = ["offset", "limit"] }, response: typeof(RouteApi.RouteList));
            group.MapPost("/", static (HttpContext context, RouteApi routes) => routes.CreateAsync(context))
                .Describe(new("routes.create", "Creates a route, with its policy where the request has one. Both are active when the response arrives.") { Body = typeof(RouteDefinition) }, StatusCodes.Status201Created, typeof(RouteApi.RouteView));
            group.MapGet("/{name}", static (HttpContext context, string name, RouteApi routes) => routes.FindAsync(context, name))
                .Describe(new("routes.get", "One route."), response: typeof(RouteApi.RouteView));
            group.MapPut("/{name}", static (HttpContext context, string name, RouteApi routes) => routes.UpdateAsync(context, name))
                .Describe(new("routes.update", "Replaces a route. The request may give it another name.") { Body = typeof(RouteDefinition) }, response: typeof(RouteApi.RouteView));
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
