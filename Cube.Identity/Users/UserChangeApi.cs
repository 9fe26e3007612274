using System.Globalization;
using System.Text.Json;
using Cube.Identity.Authentication;
using Cube.Identity.Mail;
using Cube.Identity.Tokens;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Users;

using Shown = Results<Ok<UserView>, JsonHttpResult<ManagementError>>;

/// <summary>Changes of an account, by its owner or by an administrator of the platform. Nobody else learns whether there is such an account.</summary>
internal static class UserChangeApi
{
    public static void MapUserChanges(this IEndpointRouteBuilder users)
    {
        users.MapPatch("/{userId:guid}", Update);
        users.MapPatch("/{userId:guid}/username", SetUsername);
        users.MapPatch("/{userId:guid}/picture", SetPicture);
        users.MapPatch("/{userId:guid}/tags", SetTags);
        users.MapPatch("/{userId:guid}/email", SetEmail);
        users.MapPatch("/{userId:guid}/role", SetRole);
        users.MapPatch("/secret", SetPassword);
    }

    internal sealed record UpdateRequest(string? FirstName, string? LastName, JsonElement? Metadata, JsonElement? PrivateMetadata);

    internal sealed record UsernameRequest(string? Username);

    internal sealed record PictureRequest(string? ProfilePicture);

    internal sealed record TagsRequest(string[]? Tags);

    internal sealed record EmailRequest(string? Email);

    internal sealed record RoleRequest(string? Role);

    internal sealed record PasswordRequest(string? OldSecret, string? NewSecret);

    private static Task<Shown> Update(Guid userId, UpdateRequest request, Caller caller, UserStore users, CancellationToken ct) => UpdateAsync(
        userId,
        (request.FirstName is null ? null : UserRules.FaultOfName(request.FirstName, "first_name"))
            ?? (request.LastName is null ? null : UserRules.FaultOfName(request.LastName, "last_name"))
            ?? Requests.FaultOf(request.Metadata, "metadata")
            ?? Requests.FaultOf(request.PrivateMetadata, "private_metadata"),
        new UserUpdate
        {
            FirstName = request.FirstName,
            LastName = request.LastName,
            Metadata = Requests.GivenJson(request.Metadata),
            PrivateMetadata = Requests.GivenJson(request.PrivateMetadata),
        },
        caller, users, ct);

    private static Task<Shown> SetUsername(Guid userId, UsernameRequest request, Caller caller, UserStore users, CancellationToken ct) =>
        UpdateAsync(userId, UserRules.FaultOfUsername(request.Username, "username"), new UserUpdate { Username = request.Username }, caller, users, ct);

    private static Task<Shown> SetPicture(Guid userId, PictureRequest request, Caller caller, UserStore users, CancellationToken ct) => UpdateAsync(
        userId, UserRules.FaultOfPicture(request.ProfilePicture ?? ""), new UserUpdate { ProfilePicture = request.ProfilePicture }, caller, users, ct);

    private static Task<Shown> SetTags(Guid userId, TagsRequest request, Caller caller, UserStore users, CancellationToken ct) => UpdateAsync(
        userId, request.Tags is null ? "tags is needed." : Requests.FaultOf(request.Tags), new UserUpdate { Tags = request.Tags }, caller, users, ct);

    /// <summary>An administrator's word counts at once. One's own new address counts when a mail to it was answered; until then the old one does.</summary>
    private static async Task<Results<Ok<UserView>, Accepted<UserView>, JsonHttpResult<ManagementError>>> SetEmail(
        Guid userId, EmailRequest request, Caller caller, UserStore users, MailQueue mails, CancellationToken ct)
    {
        if (!caller.IsAdministrator && caller.UserId != userId)
        {
            return Requests.Forbidden;
        }

        if (UserRules.FaultOfEmail(request.Email) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        if (caller.IsAdministrator)
        {
            var (change, changed) = await users.UpdateAsync(userId, new UserUpdate { Email = request.Email }, caller, ct);
            return changed is null ? UserApi.Refusal(change) : TypedResults.Ok(changed.ToView());
        }

        if (!mails.IsConfigured)
        {
            return MailApi.NotConfigured;
        }

        mails.Post(new MailOrder.ChangeAddress(userId, request.Email!));
        return await users.FindAsync(userId, ct) is { } user ? TypedResults.Accepted((string?)null, user.ToView()) : UserApi.NoSuchUser;
    }

    private static Task<Shown> SetRole(Guid userId, RoleRequest request, Caller caller, UserStanding standing, UserStore users, CancellationToken ct) =>
        UserApi.ChangeAsync(userId, caller, users, () => standing.SetRoleAsync(userId, request.Role!, caller, ct), ct, UserRules.FaultOfRole(request.Role));

    /// <summary>Wrong old passwords count like failed logins.</summary>
    private static async Task<Shown> SetPassword(
        PasswordRequest request, HttpContext context, Caller caller, UserStore users, Passwords passwords, LoginThrottle throttle, CancellationToken ct)
    {
        if (UserRules.FaultOfPassword(request.NewSecret, "new_secret") is { } fault)
        {
            return Requests.Invalid(fault);
        }

        if (await users.FindAsync(caller.UserId, ct) is not { } user)
        {
            return UserApi.NoSuchUser;
        }

        using var attempt = await throttle.BeginAsync(user.Username, context.Connection.RemoteIpAddress, ct);
        if (await attempt.WaitAsync(ct) is { } wait)
        {
            context.Response.Headers.RetryAfter = Math.Clamp((int)Math.Ceiling(wait.TotalSeconds), 1, 60).ToString(CultureInfo.InvariantCulture);
            return Requests.Fail(StatusCodes.Status429TooManyRequests, "too_many_attempts", "Too many wrong passwords; wait before the next.");
        }

        if (request.OldSecret is not { Length: <= UserRules.MaxText } old || !passwords.Verify(user, old))
        {
            await attempt.FailedAsync();
            return Requests.Invalid("old_secret is not the password.");
        }

        await attempt.SucceededAsync();
        await users.SetPasswordAsync(user.Id, passwords.Hash(request.NewSecret!), caller, ct);
        return TypedResults.Ok(user.ToView());
    }

    private static async Task<Shown> UpdateAsync(Guid id, string? fault, UserUpdate update, Caller caller, UserStore users, CancellationToken ct)
    {
        if (!caller.IsAdministrator && caller.UserId != id)
        {
            return Requests.Forbidden;
        }

        if (fault is not null)
        {
            return Requests.Invalid(fault);
        }

        var (change, user) = await users.UpdateAsync(id, update, caller, ct);
        return user is null ? UserApi.Refusal(change) : TypedResults.Ok(user.ToView());
    }
}
