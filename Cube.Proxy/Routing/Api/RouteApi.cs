using System.Globalization;
using System.Text;
using System.Text.Json;
using Cube.Attestation.Policy;
using Cube.Proxy.Attestation.Api;
using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Management;

namespace Cube.Proxy.Routing.Api;

/// <summary>
/// Routes, for administrators of the platform. What a change answers is in force in this proxy, and within a second in the others. A
/// route's attestation policy has versions as the platform's has; it comes and goes with the route in one transaction.
/// </summary>
internal sealed partial class RouteApi(RouteStore store, PoliciesInForce inForce, PolicyDesk desk, PlatformAdministrators administrators, ILogger<RouteApi> logger)
{
    private const int MostBody = PolicyJson.MaxBytes + (64 << 10);
    private const int MostListed = 100;

    /// <summary>The one that the original's proxy knew, the one that its documents name, and where the edge had it.</summary>
    public static IReadOnlyList<string> Bases { get; } = ["/api/routes", "/api/v1/routes", "/proxy/api/routes"];

    internal sealed record RouteView(
        Guid Id, string Name, string TargetUrl, IReadOnlyList<MatcherDefinition> Matchers, int Priority, bool DefaultRule, string StripPrefix, bool Enabled, string EventType, bool Atls,
        JsonElement? Policy, int? PolicyVersion, DateTime CreatedAt, string CreatedBy, DateTime UpdatedAt, string UpdatedBy, string? Problem);

    public static void Map(WebApplication app)
    {
        foreach (var path in Bases)
        {
            var group = app.MapGroup(path);
            group.MapGet("/", static (HttpContext context, RouteApi api) => api.AdministerAsync(context, _ => api.ListAsync(context)));
            group.MapPost("/", static (HttpContext context, RouteApi api) => api.AdministerAsync(context, by => api.CreateAsync(context, by)));
            group.MapGet("/{name}", static (HttpContext context, string name, RouteApi api) => api.AdministerAsync(context, _ => api.FindAsync(context, name)));
            group.MapPut("/{name}", static (HttpContext context, string name, RouteApi api) => api.AdministerAsync(context, by => api.UpdateAsync(context, name, by)));
            group.MapDelete("/{name}", static (HttpContext context, string name, RouteApi api) => api.AdministerAsync(context, by => api.DeleteAsync(context, name, by)));

            group.MapGet("/{name}/attestation/policy", static (HttpContext context, string name, RouteApi api) => api.OfAsync(context, name, (desk, scope, _) => PlatformAttestation.VersionOf(context) is (true, var version)
                ? desk.FindAsync(scope, version, context.RequestAborted)
                : Task.FromResult(ApiAnswer.Bad("version must be a number."))));
            group.MapGet("/{name}/attestation/policy/versions", static (HttpContext context, string name, RouteApi api) => api.OfAsync(context, name, (desk, scope, _) => desk.ListAsync(scope, context.RequestAborted)));
            group.MapPost("/{name}/attestation/policy", static (HttpContext context, string name, RouteApi api) => api.OfAsync(context, name, (desk, scope, by) => desk.StageAsync(scope, context.Request, by)));
            group.MapPost("/{name}/attestation/policy/activate", static (HttpContext context, string name, RouteApi api) => api.OfAsync(context, name, (desk, scope, by) => desk.ActivateAsync(scope, context.Request, by)));
            group.MapPost("/{name}/attestation/policy/dry-run", static (HttpContext context, string name, RouteApi api) => api.OfAsync(context, name, (desk, scope, _) => desk.TryAsync(scope, context.Request, isAdministrator: true)));
            group.MapDelete("/{name}/attestation/policy", static (HttpContext context, string name, RouteApi api) => api.OfAsync(context, name, (desk, scope, _) => desk.DeactivateAsync(scope, context.RequestAborted)));
        }
    }

    private async Task<ApiAnswer> ListAsync(HttpContext context)
    {
        if (!TryReadNumber(context, "offset", 0, 0, int.MaxValue, out var offset) || !TryReadNumber(context, "limit", 10, 1, MostListed, out var limit))
        {
            return ApiAnswer.Bad($"offset must be a number from 0 on, limit one from 1 to {MostListed}.");
        }

        var (total, routes) = await store.ListAsync(offset, limit, context.RequestAborted);
        return ApiAnswer.Ok(new { total, offset, limit, routes = routes.Select(View) });
    }

    private async Task<ApiAnswer> FindAsync(HttpContext context, string name) =>
        await store.FindAsync(name, context.RequestAborted) is { } route ? ApiAnswer.Ok(View(route)) : NotFound;

    private async Task<ApiAnswer> CreateAsync(HttpContext context, string by)
    {
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
        return await FindAsync(context, route.Name) is { Body: { } body } ? ApiAnswer.Created(body) : NotFound;
    }

    private async Task<ApiAnswer> UpdateAsync(HttpContext context, string name, string by)
    {
        var (answer, route, policy) = await ReadAsync(context, name);
        if (answer is not null)
        {
            return answer;
        }

        var change = await store.UpdateAsync(name, route!, policy, by, context.RequestAborted);
        return await SettleAsync(context, change, route!.Name, by) ?? await FindAsync(context, route.Name);
    }

    private async Task<ApiAnswer> DeleteAsync(HttpContext context, string name, string by) =>
        await SettleAsync(context, await store.DeleteAsync(name, by, context.RequestAborted), name, by) ?? ApiAnswer.Ok(new { message = "route deleted successfully" });

    private async Task<ApiAnswer?> SettleAsync(HttpContext context, RouteChange change, string name, string by)
    {
        switch (change)
        {
            case RouteChange.NotFound:
                return NotFound;
            case RouteChange.NameTaken:
                return ApiAnswer.Conflict("There is a route of this name already.");
            case RouteChange.DefaultTaken:
                return ApiAnswer.Conflict("There is a default route already; only one can be.");
        }

        // He hears of it when this proxy goes by it.
        await inForce.ReadAsync(context.RequestAborted);
        Changed(context.Request.Method, name, by);
        return null;
    }

    private async Task<(ApiAnswer? Answer, RouteDefinition? Route, PolicyChange Policy)> ReadAsync(HttpContext context, string? name)
    {
        if (!context.Request.HasJsonContentType())
        {
            return (new ApiAnswer(415, null, "unsupported_media_type", "The body must be application/json."), null, default);
        }

        if (await ApiBody.ReadAsync(context.Request, MostBody) is not { } body)
        {
            return (new ApiAnswer(413, null, "payload_too_large", "The route is too large."), null, default);
        }

        try
        {
            var (route, policy) = RouteJson.Read(body, name);
            return (null, route, policy.ValueKind switch
            {
                JsonValueKind.Undefined => default,
                JsonValueKind.Null => new PolicyChange(true, null),
                _ => new PolicyChange(true, desk.Text(Encoding.UTF8.GetBytes(policy.GetRawText()))),
            });
        }
        catch (Exception exception) when (exception is RouteException or PolicyException)
        {
            return (ApiAnswer.Bad(exception is PolicyException ? $"policy: {exception.Message}" : exception.Message), null, default);
        }
    }

    private Task AdministerAsync(HttpContext context, Func<string, Task<ApiAnswer>> answer) => administrators.AnswerAsync(context, answer);

    /// <summary>Policies hang on a route's id, so that another name changes nothing.</summary>
    private Task OfAsync(HttpContext context, string name, Func<PolicyDesk, string, string, Task<ApiAnswer>> answer) => administrators.AnswerAsync(context, async by =>
        await store.FindAsync(name, context.RequestAborted) is { } route ? await answer(desk, PolicySnapshot.ScopeOf(route.Id), by) : NotFound);

    private static ApiAnswer NotFound { get; } = ApiAnswer.NotFound("route not found");

    private static RouteView View(StoredRoute route)
    {
        // One that cannot be loaded is shown by its name alone, with the reason, so that it can be replaced or removed.
        var said = route.Definition ?? new RouteDefinition { Name = route.Name, TargetUrl = "" };
        return new RouteView(
            route.Id, route.Name, said.TargetUrl, said.Matchers, said.Priority, said.DefaultRule, said.StripPrefix ?? "", said.Enabled, said.EventType, said.Atls,
            route.Policy is { } policy ? PolicyDesk.Shown(policy) : null, route.PolicyVersion, route.CreatedAt, route.CreatedBy, route.UpdatedAt, route.UpdatedBy, route.Problem);
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
