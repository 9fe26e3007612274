using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.Identity.Authentication;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Domains;

internal static partial class DomainApi
{
    private const int MaxName = 1024;

    public static IEndpointRouteBuilder MapDomains(this IEndpointRouteBuilder endpoints)
    {
        var domains = endpoints.MapGroup("/domains");
        domains.MapPost("/", Create);
        domains.MapGet("/", List);
        domains.MapGet("/{id:guid}", Get);
        domains.MapPatch("/{id:guid}", Update);
        domains.MapRoles();
        return endpoints;
    }

    internal sealed record CreateRequest(string? Name, string? Route, string[]? Tags, JsonElement? Metadata, JsonElement? Id);

    internal sealed record UpdateRequest(string? Name, string[]? Tags, JsonElement? Metadata, JsonElement? Route);

    internal sealed record DomainPage(long Total, int Offset, int Limit, IEnumerable<DomainView> Domains);

    private static async Task<Results<Created<DomainView>, JsonHttpResult<ManagementError>>> Create(
        CreateRequest request, Caller caller, DomainStore domains, CancellationToken ct)
    {
        var fault = FaultOfName(request.Name)
            ?? (request.Route is { } route && (Route().IsMatch(route) || Guid.TryParseExact(route, "D", out _))
                ? null
                : "route must begin with a letter and have up to 36 letters, digits, '_' or '-', or be a UUID.")
            // A chosen id would tell which ids other tenants have.
            ?? (request.Id is null ? null : "id is given by Cube.")
            ?? Requests.FaultOf(request.Tags)
            ?? Requests.FaultOf(request.Metadata, "metadata");
        if (fault is not null)
        {
            return Requests.Invalid(fault);
        }

        var made = await domains.AddAsync(
            new NewDomain(request.Name!, request.Route!, request.Tags ?? [], Requests.JsonOf(request.Metadata)), caller.UserId, ct);
        return made is null
            ? Requests.Conflict("The route is not available.")
            : TypedResults.Created($"/domains/{made.Id}", made.ToView());
    }

    /// <summary>A caller's own domains; all of them for an administrator of the platform.</summary>
    private static async Task<Results<Ok<DomainPage>, JsonHttpResult<ManagementError>>> List(
        int? offset, int? limit, string? status, string? name, string? order, string? dir, Caller caller, DomainStore domains, CancellationToken ct)
    {
        var (filter, fault) = DomainFilter.Parse(offset, limit, status, name, order, dir);
        if (filter is null)
        {
            return Requests.Invalid(fault!);
        }

        var (total, found) = await domains.ListAsync(filter, caller.UserId, caller.IsAdministrator, ct);
        return TypedResults.Ok(new DomainPage(total, filter.Offset, filter.Limit, found.Select(static domain => domain.ToView())));
    }

    private static async Task<Results<Ok<DomainView>, JsonHttpResult<ManagementError>>> Get(
        Guid id, bool? roles, Caller caller, DomainStore domains, RoleStore roleStore, CancellationToken ct)
    {
        var domain = await domains.FindAsync(id, caller.UserId, ct);
        return domain switch
        {
            { MemberId: not null } => TypedResults.Ok(domain.ToView(roles is true ? await roleStore.ListAsync(id, ct) : null)),
            not null when caller.IsAdministrator => TypedResults.Ok(domain.ToView(roles is true ? await roleStore.ListAsync(id, ct) : null)),
            null when caller.IsAdministrator => Requests.Fail(StatusCodes.Status404NotFound, "not_found", "There is no such domain."),
            _ => Requests.Forbidden,
        };
    }

    private static async Task<Results<Ok<DomainView>, JsonHttpResult<ManagementError>>> Update(
        Guid id, UpdateRequest request, Caller caller, DomainStore domains, CancellationToken ct)
    {
        if (await domains.FindAsync(id, caller.UserId, ct) is not { IsAdministrator: true })
        {
            return Requests.Forbidden;
        }

        var fault = (request.Name is null ? null : FaultOfName(request.Name))
            ?? (request.Route is null ? null : "route cannot be changed.")
            ?? Requests.FaultOf(request.Tags)
            ?? Requests.FaultOf(request.Metadata, "metadata");
        if (fault is not null)
        {
            return Requests.Invalid(fault);
        }

        var metadata = request.Metadata is { ValueKind: JsonValueKind.Object } json ? json.GetRawText() : null;
        return await domains.UpdateAsync(id, request.Name, request.Tags, metadata, caller.UserId, ct) is { } updated
            ? TypedResults.Ok(updated.ToView())
            : Requests.Forbidden;
    }

    private static string? FaultOfName(string? name) =>
        string.IsNullOrWhiteSpace(name) || name.Length > MaxName ? $"name must have 1 to {MaxName} characters." : null;

    [GeneratedRegex(@"^[a-zA-Z][a-zA-Z0-9_-]{0,35}\z")]
    private static partial Regex Route();
}
