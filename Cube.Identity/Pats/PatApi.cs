using Cube.Identity.Authentication;
using Cube.Identity.Relations;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Pats;

using Nothing = Results<NoContent, JsonHttpResult<ManagementError>>;
using Shown = Results<Ok<PatView>, JsonHttpResult<ManagementError>>;

/// <summary>A user's own personal access tokens. Only a login manages them: no token can make itself another.</summary>
internal static class PatApi
{
    private const int MaxName = 256;
    private const int MaxDescription = 1024;
    private static readonly TimeSpan MinLifetime = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan MaxLifetime = TimeSpan.FromDays(366);

    public static IEndpointRouteBuilder MapPats(this IEndpointRouteBuilder endpoints)
    {
        var pats = endpoints.MapGroup("/pats").InForceWhenAnswered().WithTags("Personal access tokens");
        pats.MapPost("/", Create);
        pats.MapGet("/", List);
        pats.MapDelete("/", DeleteAll);
        pats.MapGet("/{patId:guid}", Get);
        pats.MapDelete("/{patId:guid}", Delete);
        pats.MapPatch("/{patId:guid}/name", Rename);
        pats.MapPatch("/{patId:guid}/description", Describe);
        pats.MapPatch("/{patId:guid}/secret/reset", Reset);
        pats.MapPatch("/{patId:guid}/secret/revoke", Revoke);
        pats.MapScopes();
        return endpoints;
    }

    internal sealed record CreateRequest(string? Name, string? Description, string? Duration);

    internal sealed record NameRequest(string? Name);

    internal sealed record DescriptionRequest(string? Description);

    internal sealed record DurationRequest(string? Duration);

    internal sealed record PatPage(long Total, int Offset, int Limit, IEnumerable<PatView> Pats);

    private static async Task<Results<Created<PatView>, JsonHttpResult<ManagementError>>> Create(
        CreateRequest request, HttpResponse response, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct)
    {
        var lifetime = GoDuration.Parse(request.Duration);
        if ((FaultOfName(request.Name) ?? FaultOfDescription(request.Description) ?? FaultOfLifetime(lifetime)) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        var (pat, secret) = await pats.AddAsync(request.Name!, request.Description ?? "", lifetime!.Value, caller, ct);
        response.Headers.CacheControl = "no-store";
        return TypedResults.Created($"/pats/{pat.Id}", pat.ToView(time.GetUtcNow(), secret));
    }

    private static async Task<Results<Ok<PatPage>, JsonHttpResult<ManagementError>>> List(
        [AsParameters] Paging paging, Guid? id, string? name, string? status, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct)
    {
        if ((paging.Fault ?? (status is null or "active" or "revoked" or "expired" ? null : "status must be active, revoked or expired.")) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        var (total, page) = await pats.ListAsync(caller.UserId, id, name, status, paging, ct);
        return TypedResults.Ok(new PatPage(total, paging.From, paging.Count, page.Select(pat => pat.ToView(time.GetUtcNow()))));
    }

    private static async Task<Ok> DeleteAll(Caller caller, PatStore pats, CancellationToken ct)
    {
        await pats.DeleteAsync(null, caller, ct);
        return TypedResults.Ok();
    }

    private static async Task<Shown> Get(Guid patId, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct) =>
        await pats.FindAsync(patId, caller.UserId, ct) is { } pat ? TypedResults.Ok(pat.ToView(time.GetUtcNow())) : NoSuchToken;

    private static async Task<Nothing> Delete(Guid patId, Caller caller, PatStore pats, CancellationToken ct) =>
        await pats.DeleteAsync(patId, caller, ct) > 0 ? TypedResults.NoContent() : NoSuchToken;

    private static async Task<Results<Accepted<PatView>, JsonHttpResult<ManagementError>>> Rename(
        Guid patId, NameRequest request, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct) =>
        FaultOfName(request.Name) is { } fault ? Requests.Invalid(fault)
        : await pats.RenameAsync(patId, request.Name!, caller, ct) is { } pat ? TypedResults.Accepted((string?)null, pat.ToView(time.GetUtcNow()))
        : NoSuchToken;

    private static async Task<Results<Accepted<PatView>, JsonHttpResult<ManagementError>>> Describe(
        Guid patId, DescriptionRequest request, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct) =>
        FaultOfDescription(request.Description) is { } fault ? Requests.Invalid(fault)
        : await pats.DescribeAsync(patId, request.Description ?? "", caller, ct) is { } pat ? TypedResults.Accepted((string?)null, pat.ToView(time.GetUtcNow()))
        : NoSuchToken;

    private static async Task<Shown> Reset(
        Guid patId, DurationRequest request, HttpResponse response, Caller caller, PatStore pats, TimeProvider time, CancellationToken ct)
    {
        var lifetime = GoDuration.Parse(request.Duration);
        if (FaultOfLifetime(lifetime) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        var (pat, secret) = await pats.ResetAsync(patId, lifetime!.Value, caller, ct);
        response.Headers.CacheControl = "no-store";
        return pat is null ? NoSuchToken : TypedResults.Ok(pat.ToView(time.GetUtcNow(), secret));
    }

    private static async Task<Nothing> Revoke(Guid patId, Caller caller, PatStore pats, CancellationToken ct) =>
        await pats.RevokeAsync(patId, caller, ct) is not null ? TypedResults.NoContent() : NoSuchToken;

    internal static JsonHttpResult<ManagementError> NoSuchToken { get; } = Requests.NotFound("You have no such token.");

    private static string? FaultOfName(string? name) =>
        string.IsNullOrWhiteSpace(name) || name.Length > MaxName ? $"name must have 1 to {MaxName} characters." : null;

    private static string? FaultOfDescription(string? description) =>
        description is { Length: > MaxDescription } ? $"description must not be longer than {MaxDescription} characters." : null;

    private static string? FaultOfLifetime(TimeSpan? lifetime) =>
        lifetime >= MinLifetime && lifetime <= MaxLifetime ? null : "duration must be 1m to 8784h, as 720h or 1h30m.";
}
