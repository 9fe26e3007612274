using Cube.Authorization;
using Cube.Identity.Authentication;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Pats;

using Listed = Results<Ok<ScopeApi.ScopePage>, JsonHttpResult<ManagementError>>;

/// <summary>
/// What a personal access token may do: operations on models of a domain, or on the domain itself, each also <c>*</c>. A token without
/// a scope may do nothing, and none may do more than its owner.
/// </summary>
internal static class ScopeApi
{
    private const string Models = "models";
    private const string Domains = "domains";
    private const string Any = "*";
    private const int MaxModel = 256;

    public static void MapScopes(this IEndpointRouteBuilder pats)
    {
        pats.MapPatch("/{patId:guid}/scope/add", Add);
        pats.MapGet("/{patId:guid}/scope", List);
        pats.MapPatch("/{patId:guid}/scope/remove", Remove);
        pats.MapDelete("/{patId:guid}/scope", Clear);
    }

    internal sealed record ScopeRequest(Guid? DomainId, string? EntityType, string? EntityId, string? Operation);

    internal sealed record AddRequest(ScopeRequest[]? Scopes);

    internal sealed record RemoveRequest(Guid[]? ScopesId);

    internal sealed record ScopePage(long Total, int Offset, int Limit, IEnumerable<PatScope> Scopes);

    private static async Task<Listed> Add(Guid patId, AddRequest request, Caller caller, ScopeStore scopes, CancellationToken ct)
    {
        if (request.Scopes is not { Length: >= 1 and <= ScopeStore.Max } wanted)
        {
            return Requests.Invalid($"scopes must be 1 to {ScopeStore.Max}.");
        }

        if (wanted.Select(FaultOf).FirstOrDefault(static fault => fault is not null) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        PatScope[] made =
        [
            .. wanted.Select(scope => new PatScope(
                Guid.CreateVersion7(), patId, scope.DomainId!.Value, scope.EntityType!,
                scope.EntityType == Domains ? scope.DomainId.Value.ToString() : scope.EntityId!, scope.Operation!)),
        ];
        return await scopes.AddAsync(patId, made, caller, ct) switch
        {
            ScopeChange.Done => await ListAsync(patId, new Paging(0, Paging.Max), caller, scopes, ct),
            ScopeChange.Duplicate => Requests.Conflict("The token has one of these scopes already."),
            ScopeChange.ForeignDomain => Requests.Forbidden,
            ScopeChange.TooMany => Requests.Refused("too_many_scopes", $"A token has at most {ScopeStore.Max} scopes."),
            _ => PatApi.NoSuchToken,
        };
    }

    private static async Task<Listed> List(Guid patId, [AsParameters] Paging paging, Caller caller, ScopeStore scopes, CancellationToken ct) =>
        paging.Fault is { } fault ? Requests.Invalid(fault) : await ListAsync(patId, paging, caller, scopes, ct);

    private static async Task<Listed> ListAsync(Guid patId, Paging paging, Caller caller, ScopeStore scopes, CancellationToken ct) =>
        await scopes.ListAsync(patId, paging, caller, ct) is var (total, page)
            ? TypedResults.Ok(new ScopePage(total, paging.From, paging.Count, page))
            : PatApi.NoSuchToken;

    private static async Task<Results<Ok, JsonHttpResult<ManagementError>>> Remove(
        Guid patId, RemoveRequest request, Caller caller, ScopeStore scopes, CancellationToken ct)
    {
        if (request.ScopesId is not { Length: >= 1 and <= ScopeStore.Max } ids)
        {
            return Requests.Invalid($"scopes_id must be 1 to {ScopeStore.Max} ids of scopes.");
        }

        return await scopes.RemoveAsync(patId, ids, caller, ct) switch
        {
            null => PatApi.NoSuchToken,
            0 => Requests.NotFound("The token has no such scope."),
            _ => TypedResults.Ok(),
        };
    }

    private static async Task<Results<Ok, JsonHttpResult<ManagementError>>> Clear(Guid patId, Caller caller, ScopeStore scopes, CancellationToken ct) =>
        await scopes.RemoveAsync(patId, null, caller, ct) is null ? PatApi.NoSuchToken : TypedResults.Ok();

    private static string? FaultOf(ScopeRequest? scope) => scope switch
    {
        null => "A scope must be an object.",
        { DomainId: null } => "domain_id is needed.",
        { EntityType: not (Models or Domains) } => "entity_type must be models or domains.",
        { Operation: null } => "operation is needed.",
        { EntityType: Models, EntityId: not { Length: > 0 and <= MaxModel } } => "entity_id must be a model or \"*\".",
        { EntityType: Models, Operation: not Any } when !CubeSchema.IsModelAction(scope.Operation) || !CubeSchema.KnownActions.Contains(scope.Operation) =>
            "operation of models must be one of the llm_ actions or \"*\".",
        { EntityType: Domains } when scope.EntityId is not Any && scope.EntityId != scope.DomainId.ToString() => "entity_id must be the domain_id or \"*\".",
        { EntityType: Domains, Operation: not Any } when CubeSchema.IsModelAction(scope.Operation) || !CubeSchema.KnownActions.Contains(scope.Operation) =>
            "operation of domains must be an action that is not one of models, or \"*\".",
        _ => null,
    };
}
