using System.Text.Json;
using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Configuration;
using Cube.Identity.Domains;
using Cube.Identity.Mail;
using Cube.Identity.Synchronization;
using Cube.Identity.Users;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Accounts;

using EmptyResult = Results<NoContent, JsonHttpResult<ManagementError>>;
using ViewResult = Results<Ok<UserView>, JsonHttpResult<ManagementError>>;

internal static class UserApi
{
    private const int MinSearch = 3;

    public static IEndpointRouteBuilder MapUsers(this IEndpointRouteBuilder endpoints)
    {
        var users = endpoints.MapGroup("/users").RequireSynchronized().WithTags("Users");
        users.MapPost("/", Create).AllowAnonymous().LimitPasswordConcurrency();
        users.MapGet("/", List);
        users.MapGet("/search", Search);
        users.MapGet("/profile", Profile);
        users.MapGet("/{userId:guid}", Get);
        users.MapDelete("/{userId:guid}", Delete);
        users.MapPost("/{userId:guid}/enable", Enable);
        users.MapPost("/{userId:guid}/disable", Disable);
        users.MapUserChanges();
        return endpoints;
    }

    internal sealed record UserPage(long Total, int Offset, int Limit, IEnumerable<UserView> Users);

    /// <summary>An administrator creates verified accounts with any role. With self-registration, any other caller creates an unverified account with the role <c>user</c>.</summary>
    private static async Task<Results<Created<UserView>, JsonHttpResult<ManagementError>>> Create(
        CreateUserRequest request, HttpContext context, Caller? caller, UserStore users, UserPasswordHasher passwords, MailQueue mails,
        IOptions<IdentityOptions> options, TimeProvider time, CancellationToken ct)
    {
        var byAdministrator = caller is { IsAdministrator: true };
        if (!byAdministrator && !options.Value.SelfRegistration)
        {
            if (caller is not null)
            {
                return ApiResults.Forbidden;
            }

            context.Response.Headers.WWWAuthenticate = "Bearer";
            return TypedResults.Json(ManagementError.Of(StatusCodes.Status401Unauthorized), statusCode: StatusCodes.Status401Unauthorized);
        }

        if (UserRules.Validate(request) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        if (!byAdministrator && (request.Role is "admin" || request.Status is not (null or "enabled")))
        {
            return ApiResults.Forbidden;
        }

        var now = time.GetUtcNow().UtcDateTime;
        var user = new User
        {
            Id = Guid.CreateVersion7(),
            FirstName = request.FirstName!,
            LastName = request.LastName!,
            Email = request.Email!,
            Username = request.Credentials!.Username!,
            PasswordHash = passwords.Hash(request.Credentials.Secret!),
            Tags = request.Tags ?? [],
            Metadata = InputRules.JsonOf(request.Metadata),
            PrivateMetadata = InputRules.JsonOf(request.PrivateMetadata),
            Status = request.Status ?? "enabled",
            Role = request.Role ?? "user",
            ProfilePicture = request.ProfilePicture ?? "",
            CreatedAt = now,
            UpdatedAt = now,
            UpdatedBy = caller?.UserId,
            VerifiedAt = byAdministrator ? now : null,
        };
        if (!await users.AddAsync(user, caller?.UserId ?? user.Id, ct))
        {
            return ApiResults.Conflict("The e-mail address or the user name is already in use.");
        }

        if (!byAdministrator)
        {
            mails.Enqueue(new MailJob.Verification(user.Email));
        }

        return TypedResults.Created($"/users/{user.Id}", user.ToView());
    }

    private static async Task<Results<Ok<UserPage>, JsonHttpResult<ManagementError>>> List(
        [AsParameters] UserQuery query, Caller caller, UserStore users, CancellationToken ct)
    {
        if (!caller.IsAdministrator)
        {
            return ApiResults.Forbidden;
        }

        var (filter, error) = UserFilter.Parse(query);
        if (filter is null)
        {
            return ApiResults.Invalid(error!);
        }

        var (total, page) = await users.ListAsync(filter, ct);
        return TypedResults.Ok(new UserPage(total, filter.From, filter.Count, page.Select(static user => user.ToView())));
    }

    /// <summary>Searches users by name. E-mail addresses are neither searched nor returned.</summary>
    private static async Task<Results<Ok<ReducedUserPage>, JsonHttpResult<ManagementError>>> Search(
        [AsParameters] Paging paging, string? username, string? firstName, string? lastName, string? id, Caller caller, UserStore users, CancellationToken ct)
    {
        Guid? wanted = Guid.TryParse(id, out var parsed) ? parsed : null;
        var error = paging.Error
            ?? ((username ?? firstName ?? lastName ?? id) is null ? "One of username, first_name, last_name or id is required." : null)
            ?? ((username ?? firstName ?? lastName) is { Length: < MinSearch } ? $"The search text must have at least {MinSearch} characters." : null)
            ?? (id is not null && wanted is null ? "id must be a user id." : null);
        if (error is not null)
        {
            return ApiResults.Invalid(error);
        }

        var (total, page) = await users.ListAsync(
            new UserFilter(paging.From, paging.Count, "enabled", "username", "asc") { Username = username, FirstName = firstName, LastName = lastName, Id = wanted }, ct);
        return TypedResults.Ok(new ReducedUserPage(total, paging.From, paging.Count, page.Select(user => user.ToReducedView(caller))));
    }

    private static async Task<ViewResult> Profile(Caller caller, UserStore users, CancellationToken ct) =>
        await users.FindAsync(caller.UserId, ct) is { } user ? TypedResults.Ok(user.ToView()) : NoSuchUser;

    /// <summary>Returns the full view to the user and to administrators of the platform, and the reduced view to others.</summary>
    private static async Task<Results<Ok<UserView>, Ok<ReducedUserView>, JsonHttpResult<ManagementError>>> Get(
        Guid userId, Caller caller, UserStore users, CancellationToken ct) =>
        await users.FindAsync(userId, ct) is not { } user ? NoSuchUser
        : caller.IsAdministrator || caller.UserId == userId ? TypedResults.Ok(user.ToView())
        : TypedResults.Ok(user.ToReducedView(caller));

    private static Task<ViewResult> Enable(Guid userId, Caller caller, UserLifecycle lifecycle, UserStore users, CancellationToken ct) =>
        ChangeAsync(userId, caller, users, () => lifecycle.EnableAsync(userId, caller, ct), ct);

    private static Task<ViewResult> Disable(Guid userId, Caller caller, UserLifecycle lifecycle, UserStore users, CancellationToken ct) =>
        ChangeAsync(userId, caller, users, () => lifecycle.DisableAsync(userId, caller, ct), ct);

    private static async Task<EmptyResult> Delete(Guid userId, Caller caller, UserLifecycle lifecycle, CancellationToken ct) =>
        !caller.IsAdministrator ? ApiResults.Forbidden
        : await lifecycle.DeleteAsync(userId, caller, ct) is var change && change == UserChange.Done ? TypedResults.NoContent()
        : ToResult(change);

    internal static async Task<ViewResult> ChangeAsync(
        Guid id, Caller caller, UserStore users, Func<Task<UserChange>> change, CancellationToken ct, string? error = null)
    {
        if (!caller.IsAdministrator)
        {
            return ApiResults.Forbidden;
        }

        if (error is not null)
        {
            return ApiResults.Invalid(error);
        }

        var result = await change();
        return result != UserChange.Done ? ToResult(result) : await users.FindAsync(id, ct) is { } user ? TypedResults.Ok(user.ToView()) : NoSuchUser;
    }

    internal static JsonHttpResult<ManagementError> NoSuchUser { get; } = ApiResults.NotFound("The user does not exist.");

    internal static JsonHttpResult<ManagementError> ToResult(UserChange change) => change switch
    {
        UserChange.Unknown => NoSuchUser,
        UserChange.Taken => ApiResults.Conflict("The e-mail address or the user name is already in use."),
        UserChange.AlreadyAssigned => ApiResults.Unprocessable("status_already_assigned", "The user already has this status."),
        UserChange.LastAdministrator => ApiResults.Unprocessable("last_administrator", "The platform must keep at least one enabled administrator."),
        _ => throw new InvalidOperationException($"{change} is not a failure."),
    };
}
